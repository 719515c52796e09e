#include "pkg/internal.h"

#include <string.h>

#define PKG_MANAGER_ROW(name) &pkg_##name,
const struct pkg_manager *const pkg_managers[] = {PKG_MANAGERS(PKG_MANAGER_ROW) NULL};
_Static_assert(ARRAY_LENGTH(pkg_managers) - 1 <= PKG_MANAGERS_MAX, "all are told of");

const struct pkg_manager *pkg_manager_find(const char *name)
{
    for (size_t i = 0; pkg_managers[i]; i++)
        if (strcmp(pkg_managers[i]->name, name) == 0)
            return pkg_managers[i];
    return NULL;
}

const struct pkg_manager *pkg_manager_by_source(uint8_t source)
{
    for (size_t i = 0; pkg_managers[i]; i++)
        if (pkg_managers[i]->source == source)
            return pkg_managers[i];
    return NULL;
}

#define PKG_ORDER_ROW(name) &name##_order,
const struct pkg_order *const pkg_orders[] = {PKG_ORDERS(PKG_ORDER_ROW) NULL};

const struct pkg_order *pkg_order_find(const char *name)
{
    for (size_t i = 0; pkg_orders[i]; i++)
        if (strcmp(pkg_orders[i]->name, name) == 0)
            return pkg_orders[i];
    return NULL;
}

const char *pkg_state_name(enum pkg_state s)
{
    static const char *const names[] = {
        [PKG_STATE_INSTALLED] = "installed",
        [PKG_STATE_HALF_INSTALLED] = "half-installed",
        [PKG_STATE_UNPACKED] = "unpacked",
        [PKG_STATE_HALF_CONFIGURED] = "half-configured",
        [PKG_STATE_TRIGGERS_AWAITED] = "triggers-awaited",
        [PKG_STATE_TRIGGERS_PENDING] = "triggers-pending",
        [PKG_STATE_UNKNOWN] = "unknown",
    };
    return (size_t)s < ARRAY_LENGTH(names) ? names[s] : "unknown";
}

const char *pkg_action_name(enum pkg_action a)
{
    return a == PKG_CREATE ? "create" : a == PKG_DELETE ? "delete" : "alter";
}

const char *pkg_precision_name(enum pkg_precision p)
{
    return p == PKG_EXACT ? "exact" : p == PKG_TRANSACTION ? "transaction" : "bound";
}
