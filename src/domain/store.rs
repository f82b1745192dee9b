//! Stores: what a shop granted.

/// Whether scopes (names between spaces) have this one in them; `write_x` includes `read_x`.
#[must_use]
pub fn grants(scopes: &str, scope: &str) -> bool {
    let written = scope.strip_prefix("read_").map(|rest| ["write_", rest].concat());
    scopes.split(' ').any(|one| one == scope || Some(one) == written.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_write_may_read() {
        let scopes = "read_orders write_discounts";
        for granted in ["read_orders", "write_discounts", "read_discounts"] {
            assert!(grants(scopes, granted), "{granted}");
        }
        for not in ["write_orders", "read_all_orders", "read_order", "orders", "read_products"] {
            assert!(!grants(scopes, not), "{not}");
        }
        assert!(!grants("", "read_orders"));
    }
}
