/* Every PA-TNC attribute, once. From this table come the structs and the enum (below), the decoder, the encoder and the
 * JSON printer (pa.c). A new attribute is one row, one PA_FIELDS macro and one golden vector.
 *
 * PA_FIELDS_x(F, R, S) lists the fields of an attribute's value in wire order, PA_ITEM_x(F, R, S) those of one item of
 * its list. S is the struct. R(n): n reserved octets, sent as 0 and ignored. F(S, kind, name, argument): a field:
 *
 * - U8, U16, U24, U32: a number; argument: its largest legal value, 0 = any (above it, when it is decoded: Invalid Parameter)
 * - CODE8: an octet of which values above the argument mean the same as 0 (RFC 5792 §4.2.5)
 * - MASK8: an octet of which only the bits of the argument count
 * - FIXED: argument octets
 * - TEXT8, STR16, STR32: counted octets; TEXT8 must hold no NUL
 * - REST: octets up to the end of the attribute
 * - COUNT8, COUNT16, COUNT24, COUNT32: the number of items of the LIST of that name
 * - LIST: that many items, of the row given as argument; the last field
 * - ITEMS: items of the row given as argument up to the end of the attribute; at least one
 * - NOTHING: for an attribute without a value
 */
#ifndef MUSTER_NEA_PA_ATTRIBUTES_H
#define MUSTER_NEA_PA_ATTRIBUTES_H

/* ---- fields ---- */

#define PA_FIELDS_testing(F, R, S)             F(S, REST, value, 0)
#define PA_FIELDS_attribute_request(F, R, S)   F(S, ITEMS, attributes, PA_ATTRIBUTE_REQUEST)
#define PA_ITEM_attribute_request(F, R, S)     R(1) F(S, U24, vendor, 0) F(S, U32, number, 0)
#define PA_FIELDS_product_information(F, R, S) F(S, U24, vendor_id, 0) F(S, U16, product_id, 0) F(S, REST, name, 0)
#define PA_FIELDS_numeric_version(F, R, S)                                                                             \
    F(S, U32, major_version, 0)                                                                                        \
    F(S, U32, minor_version, 0) F(S, U32, build, 0) F(S, U16, service_pack_major, 0) F(S, U16, service_pack_minor, 0)
#define PA_FIELDS_string_version(F, R, S) F(S, TEXT8, version, 0) F(S, TEXT8, build, 0) F(S, TEXT8, configuration, 0)
#define PA_FIELDS_operational_status(F, R, S)                                                                          \
    F(S, CODE8, status, 3) F(S, CODE8, result, 3) R(2) F(S, FIXED, last_use, 20)
#define PA_FIELDS_port_filter(F, R, S) F(S, ITEMS, ports, PA_PORT_FILTER)
#define PA_ITEM_port_filter(F, R, S)   F(S, MASK8, blocked, 1) F(S, U8, protocol, 0) F(S, U16, port, 0)
#define PA_FIELDS_installed_packages(F, R, S)                                                                          \
    R(2) F(S, COUNT16, packages, 0) F(S, LIST, packages, PA_INSTALLED_PACKAGES)
#define PA_ITEM_installed_packages(F, R, S)  F(S, TEXT8, name, 0) F(S, TEXT8, version, 0)
#define PA_FIELDS_error(F, R, S)             R(1) F(S, U24, vendor_id, 0) F(S, U32, code, 0) F(S, REST, information, 0)
#define PA_FIELDS_assessment_result(F, R, S) F(S, U32, result, 4)
#define PA_FIELDS_remediation_instructions(F, R, S)                                                                    \
    R(1) F(S, U24, vendor_id, 0) F(S, U32, kind, 0) F(S, REST, parameters, 0)
#define PA_FIELDS_forwarding_enabled(F, R, S)       F(S, U32, value, 2)
#define PA_FIELDS_factory_default_password(F, R, S) F(S, U32, value, 1)

/* RFC 8412. */
#define PA_FIELDS_swima_request(F, R, S)                                                                               \
    F(S, U8, flags, 0)                                                                                                 \
    F(S, COUNT24, software_ids, 0)                                                                                     \
    F(S, U32, request_id, 0) F(S, U32, earliest_eid, 0) F(S, LIST, software_ids, PA_SWIMA_REQUEST)
#define PA_ITEM_swima_request(F, R, S) F(S, STR16, software_id, 0)
#define PA_INVENTORY_(F, R, S, row)                                                                                    \
    F(S, U8, flags, 0)                                                                                                 \
    F(S, COUNT24, records, 0)                                                                                          \
    F(S, U32, request_id, 0) F(S, U32, epoch, 0) F(S, U32, last_eid, 0) F(S, LIST, records, row)
#define PA_RECORD_(F, R, S)                                                                                            \
    F(S, U32, record_id, 0)                                                                                            \
    F(S, U24, model_vendor, 0)                                                                                         \
    F(S, U8, model, 0) F(S, U8, source, 0) R(1) F(S, STR16, software_id, 0) F(S, STR16, locator, 0)
#define PA_EVENTS_(F, R, S, row)                                                                                       \
    F(S, U8, flags, 0)                                                                                                 \
    F(S, COUNT24, events, 0)                                                                                           \
    F(S, U32, request_id, 0)                                                                                           \
    F(S, U32, epoch, 0) F(S, U32, last_eid, 0) F(S, U32, last_consulted_eid, 0) F(S, LIST, events, row)
#define PA_EVENT_(F, R, S)                                                                                             \
    F(S, U32, eid, 0)                                                                                                  \
    F(S, FIXED, time, 20)                                                                                              \
    F(S, U32, record_id, 0)                                                                                            \
    F(S, U24, model_vendor, 0) F(S, U8, model, 0) F(S, U8, source, 0) F(S, U8, action, 0) F(S, STR16, software_id, 0)  \
        F(S, STR16, locator, 0)
#define PA_FIELDS_sw_id_inventory(F, R, S)             PA_INVENTORY_(F, R, S, PA_SW_ID_INVENTORY)
#define PA_ITEM_sw_id_inventory(F, R, S)               PA_RECORD_(F, R, S)
#define PA_FIELDS_sw_id_events(F, R, S)                PA_EVENTS_(F, R, S, PA_SW_ID_EVENTS)
#define PA_ITEM_sw_id_events(F, R, S)                  PA_EVENT_(F, R, S)
#define PA_FIELDS_sw_inventory(F, R, S)                PA_INVENTORY_(F, R, S, PA_SW_INVENTORY)
#define PA_ITEM_sw_inventory(F, R, S)                  PA_RECORD_(F, R, S) F(S, STR32, record, 0)
#define PA_FIELDS_sw_events(F, R, S)                   PA_EVENTS_(F, R, S, PA_SW_EVENTS)
#define PA_ITEM_sw_events(F, R, S)                     PA_EVENT_(F, R, S) F(S, STR32, record, 0)
#define PA_FIELDS_subscription_status_request(F, R, S) F(S, NOTHING, nothing, 0)
#define PA_FIELDS_subscription_status_response(F, R, S)                                                                \
    F(S, U8, flags, 0) F(S, COUNT24, subscriptions, 0) F(S, LIST, subscriptions, PA_SUBSCRIPTION_STATUS_RESPONSE)
#define PA_ITEM_subscription_status_response(F, R, S) PA_FIELDS_swima_request(F, R, S)
#define PA_FIELDS_source_metadata_request(F, R, S)    F(S, NOTHING, nothing, 0)
#define PA_FIELDS_source_metadata_response(F, R, S)                                                                    \
    R(2) F(S, COUNT8, sources, 0) F(S, LIST, sources, PA_SOURCE_METADATA_RESPONSE)
#define PA_ITEM_source_metadata_response(F, R, S) F(S, U8, source, 0) F(S, STR16, metadata, 0)

/* TCG IF-M Segmentation 1.0. */
#define PA_FIELDS_segmentation_contract_request(F, R, S)  F(S, U32, max_message, 0) F(S, U32, max_segment, 0)
#define PA_FIELDS_segmentation_contract_response(F, R, S) F(S, U32, max_message, 0) F(S, U32, max_segment, 0)
#define PA_FIELDS_segment_envelope(F, R, S)               F(S, U8, flags, 0) F(S, U24, base_id, 0) F(S, REST, segment, 0)
#define PA_FIELDS_next_segment(F, R, S)                   F(S, U8, flags, 0) F(S, U24, base_id, 0)

/* strongSwan's private attributes (ITA-HSR). */
#define PA_FIELDS_ita_command(F, R, S)      F(S, REST, command, 0)
#define PA_FIELDS_ita_dummy(F, R, S)        F(S, REST, filling, 0)
#define PA_FIELDS_ita_get_settings(F, R, S) F(S, COUNT32, settings, 0) F(S, LIST, settings, PA_ITA_GET_SETTINGS)
#define PA_ITEM_ita_get_settings(F, R, S)   F(S, STR16, name, 0)
#define PA_FIELDS_ita_settings(F, R, S)     F(S, COUNT32, settings, 0) F(S, LIST, settings, PA_ITA_SETTINGS)
#define PA_ITEM_ita_settings(F, R, S)       F(S, STR16, name, 0) F(S, STR16, value, 0)
#define PA_FIELDS_ita_start_angel(F, R, S)  F(S, NOTHING, nothing, 0)
#define PA_FIELDS_ita_stop_angel(F, R, S)   F(S, NOTHING, nothing, 0)
#define PA_FIELDS_device_id(F, R, S)        F(S, REST, id, 0)

/* ---- rows ---- */

/* A(ENUM, struct, PLAIN or LIST (has items), vendor, number, sender, name, rule, section, documentation) */
#define PA_ATTRIBUTES(A)                                                                                               \
    A(TESTING, testing, PLAIN, PEN_IETF, 0, ANY, "Testing", "PA-R22", "RFC 5792 §4.2",                                 \
      "Reserved for examples and tests")                                                                               \
    A(ATTRIBUTE_REQUEST, attribute_request, LIST, PEN_IETF, 1, VALIDATOR, "Attribute Request", "PA-R26",               \
      "RFC 5792 §4.2.1", "The attributes that the validator wants")                                                    \
    A(PRODUCT_INFORMATION, product_information, PLAIN, PEN_IETF, 2, COLLECTOR, "Product Information", "PA-R28",        \
      "RFC 5792 §4.2.2", "Creator and name of the product")                                                            \
    A(NUMERIC_VERSION, numeric_version, PLAIN, PEN_IETF, 3, COLLECTOR, "Numeric Version", "PA-R29", "RFC 5792 §4.2.3", \
      "The product's version as numbers")                                                                              \
    A(STRING_VERSION, string_version, PLAIN, PEN_IETF, 4, COLLECTOR, "String Version", "PA-R30", "RFC 5792 §4.2.4",    \
      "The product's version as texts")                                                                                \
    A(OPERATIONAL_STATUS, operational_status, PLAIN, PEN_IETF, 5, COLLECTOR, "Operational Status", "PA-R31",           \
      "RFC 5792 §4.2.5", "Whether it runs, and when it was last used")                                                 \
    A(PORT_FILTER, port_filter, LIST, PEN_IETF, 6, COLLECTOR, "Port Filter", "PA-R32", "RFC 5792 §4.2.6",              \
      "Ports that are blocked or allowed")                                                                             \
    A(INSTALLED_PACKAGES, installed_packages, LIST, PEN_IETF, 7, COLLECTOR, "Installed Packages", "PA-R33",            \
      "RFC 5792 §4.2.7", "Names and versions of packages")                                                             \
    A(ERROR, error, PLAIN, PEN_IETF, 8, ANY, "PA-TNC Error", "PA-R47", "RFC 5792 §4.2.8",                              \
      "What was wrong with a message")                                                                                 \
    A(ASSESSMENT_RESULT, assessment_result, PLAIN, PEN_IETF, 9, VALIDATOR, "Assessment Result", "PA-R40",              \
      "RFC 5792 §4.2.9", "The validator's verdict")                                                                    \
    A(REMEDIATION_INSTRUCTIONS, remediation_instructions, PLAIN, PEN_IETF, 10, VALIDATOR, "Remediation Instructions",  \
      "PA-R42", "RFC 5792 §4.2.10", "How to mend it")                                                                  \
    A(FORWARDING_ENABLED, forwarding_enabled, PLAIN, PEN_IETF, 11, COLLECTOR, "Forwarding Enabled", "PA-R43",          \
      "RFC 5792 §4.2.11", "Whether the endpoint forwards traffic: 0 no, 1 yes, 2 unknown")                             \
    A(FACTORY_DEFAULT_PASSWORD, factory_default_password, PLAIN, PEN_IETF, 12, COLLECTOR,                              \
      "Factory Default Password Enabled", "PA-R44", "RFC 5792 §4.2.12",                                                \
      "Whether a default password is in use: 0 no, 1 yes")                                                             \
    A(SWIMA_REQUEST, swima_request, LIST, PEN_IETF, 13, VALIDATOR, "SWIMA Request", "SWIMA-R88", "RFC 8412 §5.6",      \
      "Asks for an inventory or events, perhaps of named software")                                                    \
    A(SW_ID_INVENTORY, sw_id_inventory, LIST, PEN_IETF, 14, COLLECTOR, "Software Identifier Inventory", "SWIMA-R88",   \
      "RFC 8412 §5.7", "What is installed, identifiers only")                                                          \
    A(SW_ID_EVENTS, sw_id_events, LIST, PEN_IETF, 15, COLLECTOR, "Software Identifier Events", "SWIMA-R88",            \
      "RFC 8412 §5.8", "What changed, identifiers only")                                                               \
    A(SW_INVENTORY, sw_inventory, LIST, PEN_IETF, 16, COLLECTOR, "Software Inventory", "SWIMA-R88", "RFC 8412 §5.9",   \
      "What is installed, with records")                                                                               \
    A(SW_EVENTS, sw_events, LIST, PEN_IETF, 17, COLLECTOR, "Software Events", "SWIMA-R88", "RFC 8412 §5.10",           \
      "What changed, with records")                                                                                    \
    A(SUBSCRIPTION_STATUS_REQUEST, subscription_status_request, PLAIN, PEN_IETF, 18, VALIDATOR,                        \
      "Subscription Status Request", "SWIMA-R88", "RFC 8412 §5.11", "Asks for the validator's active subscriptions")   \
    A(SUBSCRIPTION_STATUS_RESPONSE, subscription_status_response, LIST, PEN_IETF, 19, COLLECTOR,                       \
      "Subscription Status Response", "SWIMA-R88", "RFC 8412 §5.12", "The validator's active subscriptions")           \
    A(SOURCE_METADATA_REQUEST, source_metadata_request, PLAIN, PEN_IETF, 20, VALIDATOR, "Source Metadata Request",     \
      "SWIMA-R88", "RFC 8412 §5.13", "Asks what the source numbers mean")                                              \
    A(SOURCE_METADATA_RESPONSE, source_metadata_response, LIST, PEN_IETF, 21, COLLECTOR, "Source Metadata Response",   \
      "SWIMA-R88", "RFC 8412 §5.14", "What the source numbers mean")                                                   \
    A(SEGMENTATION_CONTRACT_REQUEST, segmentation_contract_request, PLAIN, PEN_TCG, 0x21, ANY,                         \
      "Segmentation Contract Request", "SEG-R2", "TCG IF-M Segmentation 1.0",                                          \
      "The largest message and segment wanted")                                                                        \
    A(SEGMENTATION_CONTRACT_RESPONSE, segmentation_contract_response, PLAIN, PEN_TCG, 0x22, ANY,                       \
      "Segmentation Contract Response", "SEG-R2", "TCG IF-M Segmentation 1.0", "The sizes that will be kept")          \
    A(SEGMENT_ENVELOPE, segment_envelope, PLAIN, PEN_TCG, 0x23, ANY, "Segment Envelope", "SEG-R2",                     \
      "TCG IF-M Segmentation 1.0", "A piece of a large attribute")                                                     \
    A(NEXT_SEGMENT, next_segment, PLAIN, PEN_TCG, 0x24, ANY, "Next Segment", "SEG-R2", "TCG IF-M Segmentation 1.0",    \
      "Asks for the next piece, or cancels")                                                                           \
    A(ITA_COMMAND, ita_command, PLAIN, PEN_ITA, 1, ANY, "ITA Command", "PA-R21", "strongSwan", "A test command")       \
    A(ITA_DUMMY, ita_dummy, PLAIN, PEN_ITA, 2, ANY, "ITA Dummy", "PA-R21", "strongSwan", "Filling for tests")          \
    A(ITA_GET_SETTINGS, ita_get_settings, LIST, PEN_ITA, 3, VALIDATOR, "ITA Get Settings", "PA-R21", "strongSwan",     \
      "Asks for settings by name")                                                                                     \
    A(ITA_SETTINGS, ita_settings, LIST, PEN_ITA, 4, COLLECTOR, "ITA Settings", "PA-R21", "strongSwan",                 \
      "Settings and values")                                                                                           \
    A(ITA_START_ANGEL, ita_start_angel, PLAIN, PEN_ITA, 5, COLLECTOR, "ITA Start Angel", "PA-R21", "strongSwan",       \
      "More Installed Packages or Settings follow")                                                                    \
    A(ITA_STOP_ANGEL, ita_stop_angel, PLAIN, PEN_ITA, 6, COLLECTOR, "ITA Stop Angel", "PA-R21", "strongSwan",          \
      "The last Installed Packages or Settings")                                                                       \
    A(DEVICE_ID, device_id, PLAIN, PEN_ITA, 8, COLLECTOR, "ITA Device ID", "PA-R21", "strongSwan",                     \
      "A stable name of the endpoint")

/* ---- what follows from them ---- */

#define PA_ENUM_(ENUM, ...) PA_##ENUM,
enum pa_row { PA_ATTRIBUTES(PA_ENUM_) PA_TYPE_COUNT };
#undef PA_ENUM_

#define PA_MEMBER_U8(name)    uint8_t name;
#define PA_MEMBER_U16(name)   uint16_t name;
#define PA_MEMBER_U24(name)   uint32_t name;
#define PA_MEMBER_U32(name)   uint32_t name;
#define PA_MEMBER_CODE8(name) uint8_t name;
#define PA_MEMBER_MASK8(name) uint8_t name;
#define PA_MEMBER_FIXED(name) struct bytes name;
#define PA_MEMBER_TEXT8(name) struct bytes name;
#define PA_MEMBER_STR16(name) struct bytes name;
#define PA_MEMBER_STR32(name) struct bytes name;
#define PA_MEMBER_REST(name)  struct bytes name;
#define PA_MEMBER_COUNT8(name)
#define PA_MEMBER_COUNT16(name)
#define PA_MEMBER_COUNT24(name)
#define PA_MEMBER_COUNT32(name)
#define PA_MEMBER_LIST(name)                struct pa_list name;
#define PA_MEMBER_ITEMS(name)               struct pa_list name;
#define PA_MEMBER_NOTHING(name)             uint8_t name;
#define PA_MEMBER_(S, kind, name, argument) PA_MEMBER_##kind(name)
#define PA_NO_MEMBER_(n)
#define PA_STRUCT_PLAIN_(row)
#define PA_STRUCT_LIST_(row)                                                                                           \
    struct pa_##row##_item {                                                                                           \
        PA_ITEM_##row(PA_MEMBER_, PA_NO_MEMBER_, )                                                                     \
    };
#define PA_STRUCT_(ENUM, row, list, ...)                                                                               \
    struct pa_##row {                                                                                                  \
        PA_FIELDS_##row(PA_MEMBER_, PA_NO_MEMBER_, )                                                                   \
    };                                                                                                                 \
    PA_STRUCT_##list##_(row)
PA_ATTRIBUTES(PA_STRUCT_)

#endif
