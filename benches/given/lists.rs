//! What stands in the form of an integration, the same for every bench.

/// Eight lines as an integration has them.
pub(crate) const LIST: &str = "X-Netography: Webhook, X-Api-Key: 4f1d2c7a9b8e, Accept: application/json, X-Tenant: example, \
    If-Match: \"a, b\", X-Environment: production, X-Source: fusion/1.0 (ams), X-Request-Class: alert";
