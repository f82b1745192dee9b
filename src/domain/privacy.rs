//! What a shop asks about the data of its shoppers.

/// A request, as a shop made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whose shoppers: the name by which the platform knows the shop.
    pub shop_domain: String,
    /// What is asked.
    pub ask: Ask,
}

/// What a [`Request`] asks. Orders are named by the platform's ids as decimal text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Tell a customer what is stored about these orders.
    Tell {
        /// The platform's id of the request.
        request: String,
        /// Her orders.
        orders: Vec<String>,
    },
    /// Forget the customer of these orders.
    ForgetCustomer {
        /// Her orders.
        orders: Vec<String>,
    },
    /// Forget the shop and all of its customers.
    ForgetShop,
}

impl Ask {
    /// Its kind in storage and in the API.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tell { .. } => "data_request",
            Self::ForgetCustomer { .. } => "customer_redaction",
            Self::ForgetShop => "shop_redaction",
        }
    }
}
