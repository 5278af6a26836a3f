//! Asking a running server: one request, its answer as JSON, and its refusal as an error for a person.

use std::time::Duration;

use serde_json::Value;

use crate::exit::Failure;
use crate::secret::Given;
use crate::show;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The way to a server.
pub(crate) struct Ask {
    agent: ureq::Agent,
    base: String,
    token: Option<Given>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) value: Value,
}

impl Ask {
    pub(crate) fn new(server: &str, token: Option<&Given>) -> Result<Self, Failure> {
        if !server.starts_with("http://") {
            return Err(Failure::wrong_input(format!(
                "error: --server {server:?}: write it as http://HOST:PORT; put a proxy that speaks TLS in front for https"
            )));
        }
        // A proxy of the environment must not see a token that is meant for this machine.
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .proxy(None)
            .build();
        Ok(Self {
            agent: config.into(),
            base: server.trim_end_matches('/').to_owned(),
            token: token.cloned(),
        })
    }

    pub(crate) fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Answer, Failure> {
        let request = self.agent.get(format!("{}{path}", self.base));
        let request = query.iter().fold(request, |request, (name, value)| request.query(*name, value));
        self.read(self.with_token(request).call())
    }

    pub(crate) fn post(&self, path: &str, query: &[(&str, String)], body: &[u8]) -> Result<Answer, Failure> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let request = query.iter().fold(request, |request, (name, value)| request.query(*name, value));
        self.read(self.with_token(request).header("content-type", "application/json").send(body))
    }

    pub(crate) fn put(&self, path: &str, body: &[u8]) -> Result<Answer, Failure> {
        let request = self.agent.put(format!("{}{path}", self.base));
        self.read(self.with_token(request).header("content-type", "application/json").send(body))
    }

    pub(crate) fn delete(&self, path: &str) -> Result<Answer, Failure> {
        self.read(self.with_token(self.agent.delete(format!("{}{path}", self.base))).call())
    }

    fn with_token<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.text())),
            None => request,
        }
    }

    fn read(
        &self,
        answered: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answer, Failure> {
        let unreachable = |error: ureq::Error| {
            let hint = "is the server running? `fusion-webhook serve` starts one, --server names another";
            Failure::cannot_run(format!("error: {}: {error}; {hint}", self.base))
        };
        let mut response = answered.map_err(unreachable)?;
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string().map_err(unreachable)?;
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status == 401 {
            let said = value["error"].as_str().or_else(|| value["message"].as_str());
            let said = show::printable(said.unwrap_or("it wants a token")).into_owned();
            let hint = "set FUSION_WEBHOOK_TOKEN, or give --token: the server's own token, or one that Settings > Access or `tokens add` made";
            return Err(Failure::wrong_input(format!(
                "error: the server does not let this in: {said}; {hint}"
            )));
        }
        Ok(Answer { status, value })
    }
}

impl Answer {
    /// The answer of a server that did what it was asked.
    pub(crate) fn good(self) -> Result<Value, Failure> {
        if self.status == 204 || ((200..300).contains(&self.status) && !self.value.is_null()) {
            return Ok(self.value);
        }
        // The vendor's routes have another word for it.
        let why = self.value["error"].as_str().or_else(|| self.value["message"].as_str());
        let findings = self.value["findings"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut whys: Vec<_> = why.into_iter().chain(findings).collect();
        if whys.is_empty() {
            whys.push("it is no fusion-webhook server");
        }
        let why = format!("error: the server answers {}: {}", self.status, show::printable(&whys.join("; ")));
        Err(if self.status >= 500 { Failure::cannot_run(why) } else { Failure::wrong_input(why) })
    }
}
