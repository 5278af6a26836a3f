//! The fields of an update, one row a field. The reader, the checks, the field names, the typed event and its writer
//! all follow this table; a field is added here and nowhere else.
//!
//! An object is `ITS_ROWS ItsType ItsNames`, a row is `name: Rust type = what JSON may hold`. The order of the rows is the
//! order of the page's sample. Where more than one form is allowed, the vendor's documents give several; the facts and how
//! sure they are stand in the documentation of the fields.

/// Hands all rows to the macro `$then`: the table below and the structs in `event` are both made from them.
macro_rules! rows {
    ($then:ident) => {
        $then! {
            /// One state update of an event, typed, for making and for taking apart.
            EVENT Event EventNames {
                /// `start`, `ongoing` or `end`.
                "alerttype" alerttype: AlertType = [Text],
                /// The detection model's name.
                "algorithm" algorithm: String = [Text],
                /// Whether the detection model is in beta.
                "beta" beta: bool = [Flag],
                /// A flag of the detection model: not shown.
                "bypassdisplay" bypassdisplay: bool = [Flag],
                /// A flag of the detection model: policies and integrations skip it.
                "bypassrule" bypassrule: bool = [Flag],
                /// The values of `track_by`, joined by one space.
                "cachekey" cachekey: String = [Text],
                /// Detection categories.
                "categories" categories: Vec<String> = [Texts],
                /// The account's short name.
                "customer" customer: String = [Text],
                /// The detection model's text.
                "description" description: String = [Text],
                /// A string in the sample, a boolean on flow records.
                "dstinternal" dstinternal: TextOr<bool> = [Text, Flag],
                /// Destination addresses.
                "dstip" dstip: Vec<String> = [Texts],
                /// Seconds; 0 in a start.
                "duration" duration: Number = [Integer],
                /// Unix seconds; 0 until the event ends.
                "end" end: Number = [Integer],
                /// A string in the sample.
                "factorcount" factorcount: TextOr<Number> = [Text, Integer],
                /// A string in the sample, an array of strings on other objects.
                "factors" factors: TextOr<Vec<String>> = [Text, Texts],
                /// The device that sent the flows.
                "flowsrcname" flowsrcname: String = [Text],
                /// The event's UUID, the same from start to end.
                "id" id: String = [Text],
                /// Not documented.
                "ignore" ignore: bool = [Flag],
                /// The input interface; an integer on flow records.
                "input" input: TextOr<Number> = [Text, Integer],
                /// What is known of the addresses, one item an address.
                "ipinfo" ipinfo: Vec<IpInfo> = (items IP_INFO),
                /// How many items `ipinfo` has.
                "ipinfocount" ipinfocount: Number = [Integer],
                /// Unix seconds of the previous update, or 0.
                "lasttimestamp" lasttimestamp: Number = [Integer],
                /// What was measured.
                "metrics" metrics: Metrics = (object METRICS),
                /// Not documented.
                "name" name: String = [Text],
                /// The output interface; an integer on flow records.
                "output" output: TextOr<Number> = [Text, Integer],
                /// Seconds of traffic that the threshold looks at.
                "rollupperiod" rollupperiod: Number = [Integer],
                /// How many policies fired.
                "rulecount" rulecount: Number = [Integer],
                /// The policies that fired.
                "rules" rules: Option<Vec<String>> = [Texts, Null],
                /// `low`, `medium` or `high`.
                "severity" severity: Severity = [Text],
                /// The site of the device.
                "site" site: String = [Text],
                /// A string in the sample, a boolean on flow records.
                "srcinternal" srcinternal: TextOr<bool> = [Text, Flag],
                /// Source addresses; may be empty although `cachekey` holds them.
                "srcip" srcip: Vec<String> = [Texts],
                /// Unix seconds.
                "start" start: Number = [Integer],
                /// One sentence for people.
                "summary" summary: String = [Text],
                /// A label.
                "tag" tag: String = [Text],
                /// Labels.
                "tags" tags: Vec<String> = [Texts],
                /// The condition, in the vendor's query language.
                "threshold" threshold: String = [Text],
                /// Unix seconds of this update.
                "timestamp" timestamp: Number = [Integer],
                /// The names of `track_by`, joined by one space.
                "track" track: String = [Text],
                /// The fields whose values tell events apart, up to 5.
                "track_by" track_by: Vec<String> = [Texts],
                /// The number of this update, from 1.
                "updatecount" updatecount: Number = [Integer],
                /// Seconds between ongoing updates; 0 turns them off.
                "updateinterval" updateinterval: Number = [Integer],
            }
            /// The measurements of an update.
            METRICS Metrics MetricsNames {
                /// Bits.
                "bits" bits: Statistics = (object STATISTICS),
                /// Bits, scaled by the sampling rate.
                "bitsxrate" bitsxrate: Statistics = (object STATISTICS),
                /// How far the sender's clock was ahead.
                "clockahead" clockahead: Statistics = (object STATISTICS),
                /// How far the sender's clock was behind.
                "clockbehind" clockbehind: Statistics = (object STATISTICS),
                /// Counts by name, such as `flow`.
                "count" count: Counts = [Counts],
                /// Durations.
                "duration" duration: Statistics = (object STATISTICS),
                /// Whether the clock measurements mean anything.
                "hasclock" hasclock: bool = [Flag],
                /// Packets.
                "packets" packets: Statistics = (object STATISTICS),
                /// Packets, scaled by the sampling rate.
                "packetsxrate" packetsxrate: Statistics = (object STATISTICS),
            }
            /// The statistics of one measurement.
            STATISTICS Statistics StatisticsNames {
                /// The mean, printed with at least two decimals.
                "avg" avg: Decimal = [Decimal],
                /// The greatest value.
                "max" max: Number = [Integer],
                /// The least value.
                "min" min: Number = [Integer],
                /// The sum.
                "sum" sum: Number = [Integer],
            }
            /// What is known of one address.
            IP_INFO IpInfo IpInfoNames {
                /// The autonomous system.
                "as" system: AutonomousSystem = (object AUTONOMOUS_SYSTEM),
                /// Whether the address is in no routable range.
                "bogon" bogon: bool = [Flag],
                /// How often it was seen.
                "count" count: Number = [Integer],
                /// Unix seconds.
                "firstseen" firstseen: Number = [Integer],
                /// Where it is.
                "geo" geo: Geo = (object GEO),
                /// The address.
                "ip" ip: String = [Text],
                /// Its reputation.
                "iprep" iprep: Reputation = (object REPUTATION),
                /// Unix seconds.
                "lastseen" lastseen: Number = [Integer],
                /// Names that were seen to resolve to it.
                "pdns" pdns: PassiveDns = (object PASSIVE_DNS),
                /// Names that it resolves to.
                "rdns" rdns: Vec<String> = [Texts],
            }
            /// An autonomous system.
            AUTONOMOUS_SYSTEM AutonomousSystem AutonomousSystemNames {
                /// Its number.
                "number" number: Number = [Integer],
                /// Who runs it.
                "org" org: String = [Text],
            }
            /// A place.
            GEO Geo GeoNames {
                /// City.
                "city" city: String = [Text],
                /// Two letters.
                "continentcode" continentcode: String = [Text],
                /// Two letters (ISO 3166-1).
                "countrycode" countrycode: String = [Text],
                /// Coordinates.
                "location" location: Location = (object LOCATION),
                /// Postal code.
                "postal" postal: String = [Text],
                /// Subdivision (ISO 3166-2).
                "subdiso" subdiso: String = [Text],
                /// A second subdivision.
                "subdivisionb" subdivisionb: String = [Text],
            }
            /// Coordinates in degrees.
            LOCATION Location LocationNames {
                /// Latitude.
                "lat" lat: Number = [Decimal],
                /// Longitude.
                "lon" lon: Number = [Decimal],
            }
            /// The reputation of an address.
            REPUTATION Reputation ReputationNames {
                /// What it is known for.
                "categories" categories: Vec<String> = [Texts],
                /// How many categories.
                "count" count: Number = [Integer],
            }
            /// Passive DNS.
            PASSIVE_DNS PassiveDns PassiveDnsNames {
                /// How many records.
                "count" count: Number = [Integer],
                /// The records; their form is not documented.
                "records" records: Vec<Json> = [List],
            }
        }
    };
}
pub(crate) use rows;

/// What the value of a field may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any of these forms.
    Leaf(&'static [Form]),
    /// An object with these fields.
    Object(&'static Object),
    /// An array of objects with these fields.
    Items(&'static Object),
}

/// One form that a leaf may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A string.
    Text,
    /// `true` or `false`.
    Flag,
    /// A number without a fraction.
    Integer,
    /// Any number.
    Decimal,
    /// `null`.
    Null,
    /// An array of strings.
    Texts,
    /// An object whose values are integers.
    Counts,
    /// Any array.
    List,
}

/// An object of the schema.
#[derive(Debug)]
pub struct Object {
    /// Its members, in the order of the sample.
    pub members: &'static [Member],
}

/// A member of an object of the schema.
#[derive(Debug)]
pub struct Member {
    /// Its standard name.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
}

macro_rules! kind {
    ([$($form:ident),+]) => { Kind::Leaf(&[$(Form::$form),+]) };
    ((object $of:ident)) => { Kind::Object(&$of) };
    ((items $of:ident)) => { Kind::Items(&$of) };
}

macro_rules! table {
    ($($(#[$about:meta])* $NAME:ident $Type:ident $Names:ident {
        $($(#[$about_member:meta])* $name:literal $field:ident: $type:ty = $kind:tt,)*
    })*) => {
        $($(#[$about])* pub static $NAME: Object = Object {
            members: &[$(Member { name: $name, kind: kind!($kind) }),*],
        };)*
    };
}
rows!(table);
