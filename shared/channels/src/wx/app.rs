//! An official account's or mini program's side of the API: its address, and the caller's credentials.

use super::api::{self, API_BASE};
use super::gate::Gate;
use crate::kit::{AccountError, ApiRequest, Undeliverable};
use crate::requests::post_json;
use crate::settings::{Fields, absent, api_base};
use warmline_model::Media;

/// The settings and secrets that both have. It holds secrets, so it has no `Debug`.
pub(crate) struct App {
    pub(crate) gate: Gate,
    pub(crate) api_base: String,
    app_secret: Option<String>,
}

impl App {
    /// The secrets read here. The settings are `app_id`, `mode`, `api_base` and `max_age_secs`.
    pub(crate) const SECRETS: [&str; 3] = ["token", "app_secret", "encoding_aes_key"];

    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, AccountError> {
        let gate = Gate::read(fields)?;
        let app_secret = fields.secret("app_secret", 1..=128)?.map(str::to_owned);
        if app_secret.is_some() && gate.app_id.is_none() {
            return Err(AccountError::new("app_id", "is required beside app_secret"));
        }
        let api_base = api_base(fields, API_BASE)?;
        Ok(Self { gate, api_base, app_secret })
    }

    /// The app id and secret, if both are present.
    fn credentials(&self) -> Option<(&str, &str)> {
        Some((self.gate.app_id.as_deref()?, self.app_secret.as_deref()?))
    }

    /// The missing ones of these two.
    pub(crate) fn missing_for_sending(&self) -> Vec<&'static str> {
        absent(&[("app_id", self.gate.app_id.is_some()), ("app_secret", self.app_secret.is_some())])
    }

    pub(crate) fn token_request(&self, force: bool) -> Option<ApiRequest> {
        let (app_id, secret) = self.credentials()?;
        Some(api::token_request(&self.api_base, app_id, secret, force))
    }

    /// The access token, or the code for its absence.
    fn token<'t>(&self, token: Option<&'t str>) -> Result<&'t str, Undeliverable> {
        token.ok_or(if self.credentials().is_some() {
            Undeliverable::TokenMissing
        } else {
            Undeliverable::CredentialsMissing
        })
    }

    /// The call that sends a customer-service message.
    pub(crate) fn send(&self, body: Vec<u8>, token: Option<&str>) -> Result<ApiRequest, Undeliverable> {
        Ok(post_json(api::send_url(&self.api_base, self.token(token)?), body))
    }

    /// The call that fetches a temporary medium.
    pub(crate) fn media(&self, media: &Media, token: Option<&str>) -> Result<ApiRequest, Undeliverable> {
        let id = media.id.as_deref().filter(|id| !id.is_empty()).ok_or(Undeliverable::MediaIdMissing)?;
        Ok(api::media(&self.api_base, id, self.token(token)?))
    }
}
