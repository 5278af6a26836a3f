//! How an integration is delivered to, which the documentation page has no words for: time, tries, limits, addresses, trust.

use maud::{Markup, html};

use super::super::layout::mistakes;
use super::{Draft, line, tick};

pub(super) fn of_delivery(draft: &Draft) -> Markup {
    let set = [
        "content_type",
        "attempt_timeout",
        "connect_timeout",
        "ca",
        "allow",
        "concurrency",
        "rate_per_second",
        "delays",
        "expiry",
        "retry_after_cap",
        "http2",
        "coalesce",
    ];
    let many = set.iter().filter(|name| draft.fields.is(name)).count();
    html! {
        details #delivery open[many > 0] {
            summary { "Delivery" @if many > 0 { span.faint { " · " (many) " set" } } }
            (line(draft, ("content_type", "Content type"), "application/json", ""))
            (line(draft, ("attempt_timeout", "Time for one attempt"), "15s", "From connecting to the last byte of the answer."))
            (line(draft, ("connect_timeout", "Time to connect"), "5s", ""))
            label for="delays" { "Delays between attempts" }
            input #delays name="delays" value=(draft.fields.text("delays")) disabled[draft.fixed] autocomplete="off"
                placeholder="5s, 30s, 2m, 10m, 30m, 1h, 2h, 4h, 8h";
            p.hint { "The last one repeats; " code { "none" } " makes one attempt only." }
            (mistakes("delays", &draft.wrong))
            label for="expiry" { "Given up after" }
            input #expiry name="expiry" value=(draft.fields.text("expiry")) placeholder="24h" disabled[draft.fixed] autocomplete="off";
            (mistakes("expiry", &draft.wrong))
            label for="retry_after_cap" { "Longest Retry-After that is honoured" }
            input #retry_after_cap name="retry_after_cap" value=(draft.fields.text("retry_after_cap")) placeholder="1h" disabled[draft.fixed] autocomplete="off";
            (mistakes("retry_after_cap", &draft.wrong))
            (mistakes("retry", &draft.wrong))
            (line(draft, ("concurrency", "Attempts under way at once"), "8", ""))
            (line(draft, ("rate_per_second", "Attempts a second"), "no limit", ""))
            label for="allow" { "Allowed address ranges" }
            textarea #allow name="allow" rows="2" spellcheck="false" placeholder="10.0.0.0/8" disabled[draft.fixed] { (draft.fields.text("allow")) }
            p.hint { "CIDR, one a line. Without one, only public addresses are connected to." }
            (mistakes("allow", &draft.wrong))
            label for="ca" { "Trusted roots" }
            textarea #ca name="ca" rows="3" spellcheck="false" placeholder="-----BEGIN CERTIFICATE-----" disabled[draft.fixed] { (draft.fields.text("ca")) }
            p.hint { "PEM, in place of the system's." }
            (mistakes("ca_file", &draft.wrong))
            (tick(draft, ("http2", "HTTP/2"), "Speak it if the server offers it."))
            (tick(draft, ("coalesce", "Coalesce"), "Under backlog, an ongoing update that a later one of the same event supersedes is not sent."))
        }
    }
}
