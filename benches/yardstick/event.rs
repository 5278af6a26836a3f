//! An update as somebody writes it down with serde: a struct an object, `String` for texts, what is not known kept beside.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

macro_rules! structs {
    ($($Name:ident { $($(#[$of:meta])* $field:ident: $type:ty,)* })*) => { $(
        #[derive(Clone, Debug, Deserialize, Serialize)]
        pub(crate) struct $Name {
            $($(#[$of])* $field: $type,)*
            #[serde(flatten)]
            more: Map<String, Value>,
        }
    )* };
}

structs! {
    Event {
        alerttype: String,
        algorithm: String,
        beta: bool,
        bypassdisplay: bool,
        bypassrule: bool,
        cachekey: String,
        categories: Vec<String>,
        customer: String,
        description: String,
        dstinternal: Value,
        dstip: Vec<String>,
        duration: i64,
        end: i64,
        factorcount: Value,
        factors: Value,
        flowsrcname: String,
        id: String,
        ignore: bool,
        input: Value,
        ipinfo: Vec<IpInfo>,
        ipinfocount: i64,
        lasttimestamp: i64,
        metrics: Metrics,
        name: String,
        output: Value,
        rollupperiod: i64,
        rulecount: i64,
        rules: Option<Vec<String>>,
        severity: String,
        site: String,
        srcinternal: Value,
        srcip: Vec<String>,
        start: i64,
        summary: String,
        tag: String,
        tags: Vec<String>,
        threshold: String,
        timestamp: i64,
        track: String,
        track_by: Vec<String>,
        updatecount: i64,
        updateinterval: i64,
    }
    Metrics {
        bits: Statistics,
        bitsxrate: Statistics,
        clockahead: Statistics,
        clockbehind: Statistics,
        count: Map<String, Value>,
        duration: Statistics,
        hasclock: bool,
        packets: Statistics,
        packetsxrate: Statistics,
    }
    Statistics {
        avg: f64,
        max: i64,
        min: i64,
        sum: i64,
    }
    IpInfo {
        #[serde(rename = "as")]
        system: AutonomousSystem,
        bogon: bool,
        count: i64,
        firstseen: i64,
        geo: Geo,
        ip: String,
        iprep: Reputation,
        lastseen: i64,
        pdns: PassiveDns,
        rdns: Vec<String>,
    }
    AutonomousSystem {
        number: i64,
        org: String,
    }
    Geo {
        city: String,
        continentcode: String,
        countrycode: String,
        location: Location,
        postal: String,
        subdiso: String,
        subdivisionb: String,
    }
    Location {
        lat: f64,
        lon: f64,
    }
    Reputation {
        categories: Vec<String>,
        count: i64,
    }
    PassiveDns {
        count: i64,
        records: Vec<Value>,
    }
}

/// What policies look at.
#[derive(Debug, Deserialize)]
pub(crate) struct Routed<'a> {
    #[serde(borrow)]
    alerttype: Cow<'a, str>,
    #[serde(borrow)]
    severity: Cow<'a, str>,
    #[serde(borrow)]
    algorithm: Cow<'a, str>,
    #[serde(borrow)]
    categories: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    track_by: Vec<Cow<'a, str>>,
}

impl Routed<'_> {
    /// Hands over all texts, as a policy would look at them.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let one = [&self.alerttype, &self.severity, &self.algorithm].into_iter();
        one.chain(&self.categories).chain(&self.track_by).map(|text| &**text)
    }
}
