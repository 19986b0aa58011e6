//! What the client needs to know of one environment.

use skydeck_core::domain::ids::EnvId;
use skydeck_core::text::Redactor;
use skydeck_kingdee::config::Reach;

use secrecy::{ExposeSecret as _, SecretString};

use super::auth::Auth;

/// Settings of one client.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Environment the client belongs to; a write token for another one is refused.
    pub env: EnvId,
    /// How the system is reached.
    pub reach: Reach,
    /// How requests say who we are.
    pub auth: Auth,
    /// The secret: a token that is for good, a password, or what tokens are fetched and signatures are made with.
    pub secret: Option<SecretString>,
    /// A token that was given for good beside the secret: `{{token}}` where none is fetched.
    pub token: Option<SecretString>,
    /// Most bytes read from an answer, after decompression.
    pub max_body: usize,
}

impl HttpConfig {
    /// What takes our secrets out of answers.
    pub(super) fn redactor(&self) -> Redactor {
        let mut redactor = Redactor::default();
        let own = self.secret.iter().chain(&self.token);
        own.chain(self.reach.secrets()).for_each(|secret| redactor.add(secret.expose_secret()));
        redactor
    }
}
