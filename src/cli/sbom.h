/* sbom: what this machine's bill of materials and an endpoint's are asked for with; private to cli/. */
#ifndef MUSTER_CLI_SBOM_H
#define MUSTER_CLI_SBOM_H

#include "cli/rest.h"

/* clang-format off */
#define SBOM_OPTIONS                                                                                                   \
    {"format", "FORMAT", "cyclonedx (CycloneDX 1.6 JSON, the default) or spdx (SPDX 2.3 JSON)"},                       \
    {"at", "T", "with dependencies and licences only of versions that are still installed, as of this moment"},        \
    {"output", "FILE", "write it to this file, which is replaced when all is written"}
#define SBOM_ENDPOINT_OPTIONS                                                                                          \
    {"endpoint", "ID", "of this endpoint (number or name), as the server knows it: without dependencies, licences and files"}, \
    REST_OPTIONS
/* clang-format on */

#endif
