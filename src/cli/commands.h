/* The commands, once. What muster carries out itself stands in LIGHT_COMMANDS; a command that needs a heavy library stands in the list of its program,
 * and muster starts that. A new command is a file with its `const struct cli_command`, a line here, and the file's name in meson.build. */
#ifndef MUSTER_CLI_COMMANDS_H
#define MUSTER_CLI_COMMANDS_H

/* clang-format off */
#define LIGHT_COMMANDS(C) \
    C(cli_scan)           \
    C(cli_collect)        \
    C(cli_list)           \
    C(cli_history)        \
    C(cli_check)          \
    C(cli_sbom)           \
    C(cli_assess)         \
    C(cli_agent)          \
    C(cli_tag_validate)   \
    C(cli_tag_convert)    \
    C(cli_tag_verify)     \
    C(cli_tag)            \
    C(cli_decode)         \
    C(cli_compare_versions)

/* C(symbol, identity): muster's own help shows the identity, the program's table has all of it. */
#define SERVER_COMMANDS(C)                    \
    C(cli_serve, CLI_SERVE)                   \
    C(cli_pki_issue, CLI_PKI_ISSUE)           \
    C(cli_account_add, CLI_ACCOUNT_ADD)       \
    C(cli_account_list, CLI_ACCOUNT_LIST)     \
    C(cli_account_remove, CLI_ACCOUNT_REMOVE)

#define FLEET_COMMANDS(C)                     \
    C(cli_endpoint_list, CLI_ENDPOINT_LIST)   \
    C(cli_endpoint_show, CLI_ENDPOINT_SHOW)   \
    C(cli_endpoint_reassess, CLI_ENDPOINT_REASSESS) \
    C(cli_file, CLI_FILE)

#define PACKAGE_COMMANDS(C)                   \
    C(cli_package_show, CLI_PACKAGE_SHOW)     \
    C(cli_tag_import, CLI_TAG_IMPORT)

#define CLI_SERVE          .noun = "serve", .arguments = "", .summary = "the policy server: assesses endpoints over PT-TLS, answers over HTTPS"
#define CLI_PKI_ISSUE      .noun = "pki", .verb = "issue", .arguments = "NAME", .summary = "a certificate and key for an endpoint, signed by the server's authority"
#define CLI_ACCOUNT_ADD    .noun = "account", .verb = "add", .arguments = "NAME", .summary = "lets an endpoint without certificate log in by this name and a password"
#define CLI_ACCOUNT_LIST   .noun = "account", .verb = "list", .arguments = "", .summary = "the names that endpoints without certificate may log in by"
#define CLI_ACCOUNT_REMOVE .noun = "account", .verb = "remove", .arguments = "NAME", .summary = "nobody logs in by this name any more; what is stored of the endpoint stays"
#define CLI_ENDPOINT_LIST  .noun = "endpoint", .verb = "list", .arguments = "", .summary = "the endpoints that the server knows, and their last verdict"
#define CLI_ENDPOINT_SHOW  .noun = "endpoint", .verb = "show", .arguments = "ID", .summary = "one endpoint (number or name) and its software, now or --at T"
#define CLI_ENDPOINT_REASSESS .noun = "endpoint", .verb = "reassess", .arguments = "ID", .summary = "assesses an endpoint that is connected now (muster agent) anew"
#define CLI_FILE .noun = "file", .arguments = "SHA256|PATH", .summary = "which packages a file belongs to that has this digest, or is this one here, and which endpoints have them"
#define CLI_TAG_IMPORT .noun = "tag", .verb = "import", .arguments = "FILE...", .summary = "tags (SWID, CoSWID), or packages whose tags are made here, become references on the server"
#define CLI_PACKAGE_SHOW .noun = "package", .verb = "show", .arguments = "FILE", .summary = "what a package file (.deb, .rpm, .pkg.tar.*, .apk) is, and its files with their hashes; exit 1 if they are not what it says"
/* clang-format on */

#endif
