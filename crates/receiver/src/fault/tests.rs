use super::*;

fn faults(rules: &[&str]) -> Faults {
    let rules = rules.iter().map(|rule| Rule::parse(rule).unwrap()).collect();
    Faults::new(rules, 7, Duration::ZERO)
}

/// Which of the first requests of one event are struck, and by which rule.
fn struck(rules: &[&str], requests: u64) -> Vec<usize> {
    let mut faults = faults(rules);
    let facts = Facts { path: "/", event: Some("a"), alerttype: Some("start") };
    let mut plan = |_| faults.plan(Stage::Request, &facts, Duration::ZERO).map_or(0, |struck| struck.rule);
    (0..requests).map(&mut plan).collect()
}

#[test]
fn rules_strike_at_the_requests_that_they_name() {
    for (rules, expected) in [
        (&["status=503,nth=2"][..], vec![0, 1, 0, 0]),
        (&["status=503,every=2"], vec![0, 1, 0, 1]),
        (&["status=503,first=3"], vec![1, 1, 1, 0]),
        (&["status=503,first=3,every=2"], vec![0, 1, 0, 0]),
        (&["status=503,path=/other"], vec![0, 0, 0, 0]),
        (&["status=503,event=a,first=1"], vec![1, 0, 0, 0]),
        (&["status=503,alerttype=end"], vec![0, 0, 0, 0]),
        (&["status=503,probability=0"], vec![0, 0, 0, 0]),
        (&["status=503,probability=1"], vec![1, 1, 1, 1]),
        // The first that strikes decides, and the others count on.
        (&["status=503,first=1", "reset,first=2"], vec![1, 2, 0, 0]),
        (&["reset=before", "status=500,nth=1"], vec![2, 0, 0, 0]),
    ] {
        assert_eq!(struck(rules, 4), expected, "{rules:?}");
    }
}

#[test]
fn a_rule_can_count_each_event_apart_and_end_by_the_clock() {
    let mut faults = faults(&["status=503,retry-after=2,first=1,per=event,for=30s"]);
    let mut plan = |event, seconds| {
        let facts = Facts { event: Some(event), ..Facts::default() };
        faults.plan(Stage::Request, &facts, Duration::from_secs(seconds)).is_some()
    };
    assert_eq!([plan("a", 0), plan("a", 1), plan("b", 2), plan("c", 30)], [true, false, true, false]);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let rules = ["status=503,probability=0.3", "delay=10ms..90ms,probability=0.5"];
    let first = struck(&rules, 1000);
    assert_eq!(first, struck(&rules, 1000));
    let share = first.iter().filter(|rule| **rule == 1).count();
    assert!((250..350).contains(&share), "{share} of 1000 for a probability of 0.3");
}

#[test]
fn refusing_lasts_as_long_as_its_rule() {
    let faults = faults(&["refuse,for=30s"]);
    let at = |seconds| faults.refusing(Duration::from_secs(seconds));
    assert_eq!((at(0), at(29), at(30)), (Some(Duration::from_secs(30)), Some(Duration::from_secs(1)), None));
    let for_ever = super::tests::faults(&["refuse"]);
    assert_eq!(for_ever.refusing(Duration::from_secs(100_000)), Some(MAX_HOLD), "it is asked about again");
}

#[test]
fn rules_are_written_as_they_are_read() {
    for text in [
        "status=503,retry-after=2,first=3,per=event",
        r"status=503,retry-after=Wed\x2c 21 Oct 2015 07:28:00 GMT",
        "redirect=http://127.0.0.1:1/,status=308",
        "reset=within,path=/a,every=2",
        "truncate,event=a,alerttype=end,nth=1",
        "endless,probability=0.25",
        "slow=10ms,delay=1s..2s",
        "silent=30s,for=1m",
        "accept-only=5s,first=1",
        "refuse,for=30s",
        "delay=200ms~50ms",
        r"raw=HTTP/1.1 200 OK\r\n\r\n\x00\x2c\\=",
    ] {
        let rule = Rule::parse(text).unwrap();
        assert_eq!(Rule::from_pairs(&rule.pairs()).unwrap(), rule, "{text}");
        assert_eq!(Rule::parse(&rule.to_string()).unwrap(), rule, "{text}");
    }
    let date = Rule::parse(r"status=503,retry-after=Wed\x2c 21 Oct 2015 07:28:00 GMT").unwrap();
    assert_eq!(date.pairs()["retry-after"], "Wed, 21 Oct 2015 07:28:00 GMT");
}

#[test]
fn a_rule_that_cannot_be_says_why() {
    for (text, error) in [
        (
            "",
            ": no such name; there are redirect, status, reset, truncate, endless, raw, slow, silent, accept-only, refuse, path, event, alerttype, nth, every, first, probability, per, for, delay",
        ),
        (
            "first=2",
            "fault: the rule has none; add delay or one of redirect, status, reset, truncate, endless, raw, slow, silent, accept-only, refuse",
        ),
        ("status=99", "status: \"99\" is no status from 200 to 599"),
        ("status=503,status=500", "status: it stands twice"),
        ("status=503,reset", "reset: a rule has one fault; write two rules"),
        ("reset,retry-after=2", "retry-after: it goes with status"),
        ("status=503,first=0", "first: \"0\" is no number from 1 on"),
        ("status=503,probability=2", "probability: \"2\" is no number from 0 to 1"),
        ("status=503,alerttype=strat", "alerttype: \"strat\" is none of start, ongoing, end"),
        ("status=503,per=day", "per: \"day\" is none of event, run"),
        ("redirect=", "redirect: it wants a URL"),
        ("redirect=/,status=304", "redirect: 304 redirects nowhere; take 301, 302, 303, 307 or 308"),
        ("reset=never", "reset: \"never\" is none of before, within, after, answer"),
        (r"raw=\q", "raw: a backslash stands before r, n, t, a backslash, or x and two hex digits"),
        ("truncate=1", "truncate: it takes no value"),
        (
            "reset=within,event=a",
            "event: this fault strikes before the body is read; it can go by event no more than by alert type",
        ),
        ("reset=before,path=/", "path: this fault strikes before a request is read"),
        (
            "refuse,first=3",
            "refuse: what is refused cannot be counted or delayed; say for how long: refuse,for=30s",
        ),
    ] {
        assert_eq!(Rule::parse(text).unwrap_err().to_string(), error, "{text}");
    }
}
