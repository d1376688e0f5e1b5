//! Login: TLS where it is required, a free place, and the password by SCRAM-SHA-256.

use crate::serve::options::Login;
use crate::serve::protocol::pg_error::{self, PgError};
use crate::serve::protocol::register::Entry;
use crate::serve::settings::SERVER_VERSION;
use async_trait::async_trait;
use pgwire::api::auth::sasl::SASLAuthStartupHandler;
use pgwire::api::auth::sasl::scram::{SCRAM_ITERATIONS, ScramAuth, gen_salted_password};
use pgwire::api::auth::{
    AuthSource, DefaultServerParameterProvider, LoginInfo, Password, StartupHandler, finish_authentication,
    protocol_negotiation, save_startup_parameters_to_metadata,
};
use pgwire::api::{ClientInfo, PidSecretKeyGenerator};
use pgwire::error::PgWireResult;
use pgwire::messages::PgWireFrontendMessage;
use rand::TryRng;
use rand::rngs::SysRng;
use std::sync::Arc;

/// Letters of a generated password; none looks like another.
const LETTERS: &[u8; 56] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789-";
/// Length of a generated password: 24 letters out of 56 are 139 bits.
const LETTERS_MADE: usize = 24;

/// What the server stores about the user who may log in: the password only as salt and hash.
#[derive(Debug)]
pub(in crate::serve) enum Account {
    Open,
    Scram(Arc<HashedPassword>),
}

/// A user's password as SCRAM needs it.
pub(in crate::serve) struct HashedPassword {
    user: String,
    salt: Vec<u8>,
    hash: Vec<u8>,
    /// Replaces the hash when another user asks, so that a client cannot find out which users exist.
    nobody: Vec<u8>,
}

impl std::fmt::Debug for HashedPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HashedPassword").field("user", &self.user).finish_non_exhaustive()
    }
}

fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// Generates a password from the system's randomness.
///
/// # Errors
/// When the system provides none.
pub fn made_password() -> std::io::Result<String> {
    let mut password = String::new();
    while password.len() < LETTERS_MADE {
        // Bytes beyond the last whole multiple would make some letters likelier.
        let fair = random::<64>()?.into_iter().filter(|byte| usize::from(*byte) < LETTERS.len() * 4);
        password.extend(fair.map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()])));
    }
    password.truncate(LETTERS_MADE);
    Ok(password)
}

impl Account {
    /// Hashes the password once, with a salt of its own.
    ///
    /// # Errors
    /// When the system provides no randomness.
    pub(in crate::serve) fn of(login: &Login) -> std::io::Result<Self> {
        let Login::Password { user, password } = login else { return Ok(Account::Open) };
        let salt = random::<16>()?.to_vec();
        let hash = gen_salted_password(password, &salt, SCRAM_ITERATIONS);
        let nobody = random::<32>()?.to_vec();
        Ok(Account::Scram(Arc::new(HashedPassword { user: user.clone(), salt, hash, nobody })))
    }
}

#[async_trait]
impl AuthSource for HashedPassword {
    async fn get_password(&self, login: &LoginInfo) -> PgWireResult<Password> {
        let known = login.user() == Some(self.user.as_str());
        Ok(Password::new(Some(self.salt.clone()), if known { self.hash.clone() } else { self.nobody.clone() }))
    }
}

/// Logs one client in.
pub(in crate::serve) struct ClientLogin {
    entry: Arc<Entry>,
    parameters: Arc<DefaultServerParameterProvider>,
    scram: Option<SASLAuthStartupHandler<DefaultServerParameterProvider>>,
    needs_tls: bool,
}

impl ClientLogin {
    /// Returns the login for one client; `certificate` is the server's, as PEM, if there is one.
    pub(in crate::serve) fn new(account: &Account, certificate: Option<&[u8]>, entry: Entry) -> Self {
        let mut parameters = DefaultServerParameterProvider::default();
        parameters.server_version = format!("{SERVER_VERSION} (flowsift {})", env!("CARGO_PKG_VERSION"));
        parameters.is_superuser = false;
        parameters.default_transaction_read_only = true;
        parameters.time_zone = "UTC".to_owned();
        parameters.date_style = "ISO, MDY".to_owned();
        let (parameters, entry) = (Arc::new(parameters), Arc::new(entry));
        let scram = match account {
            Account::Open => None,
            Account::Scram(hashed) => {
                let mut scram = ScramAuth::new(hashed.clone());
                if let Some(certificate) = certificate
                    && let Err(error) = scram.configure_certificate(certificate)
                {
                    // Clients then do without channel binding.
                    tracing::debug!("no channel binding with this certificate: {error}");
                }
                let handler = SASLAuthStartupHandler::new(parameters.clone()).with_scram(scram);
                Some(handler.with_pid_secret_key_generator(Arc::new(ScramEntry(entry.clone()))))
            }
        };
        Self { entry, parameters, scram, needs_tls: certificate.is_some() }
    }

    /// Answers a message of a client that has not logged in; login is complete when the client's state is ready for a
    /// query.
    ///
    /// # Errors
    /// The error to send before the connection is closed.
    pub(in crate::serve) async fn receive(
        &self,
        client: &mut crate::serve::protocol::socket::Socket,
        message: PgWireFrontendMessage,
    ) -> Result<(), PgError> {
        if self.needs_tls && !client.is_secure() {
            let details = pg_error::fatal("28000", "this server accepts only connections with TLS");
            return Err(pg_error::with_hint(details, "use sslmode=require or stricter"));
        }
        if let Some(scram) = &self.scram {
            return Ok(scram.on_startup(client, message).await?);
        }
        if let PgWireFrontendMessage::Startup(startup) = &message {
            protocol_negotiation(client, startup).await?;
            save_startup_parameters_to_metadata(client, startup);
            let (pid, key) = self.entry.generate(client);
            client.set_pid_and_secret_key(pid, key);
            finish_authentication(client, self.parameters.as_ref()).await?;
        }
        Ok(())
    }
}

/// Passes the login to the SCRAM handler, which issues the key if the password is right.
struct ScramEntry(Arc<Entry>);

impl PidSecretKeyGenerator for ScramEntry {
    fn generate(&self, client: &dyn ClientInfo) -> (i32, pgwire::messages::startup::SecretKey) {
        self.0.generate(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn passwords_are_random_and_strangers_get_another_hash() {
        let (one, other) = (made_password().unwrap(), made_password().unwrap());
        assert!(one.len() == LETTERS_MADE && one != other);
        let login = Login::Password { user: "flowsift".to_owned(), password: one.clone() };
        assert!(!format!("{login:?}").contains(&one), "no password in logs");
        let Account::Scram(hashed) = Account::of(&login).unwrap() else { panic!("open") };
        let of = async |user: &'static str| {
            let info = LoginInfo::new(Some(user), None, String::new());
            hashed.get_password(&info).await.unwrap().password().to_vec()
        };
        let salted = gen_salted_password(&one, &hashed.salt, SCRAM_ITERATIONS);
        assert_eq!(of("flowsift").await, salted);
        assert_ne!(of("postgres").await, salted);
    }
}
