use bytes::Bytes;

use super::*;

/// A capture that has so many bytes of a head.
fn capture(number: u64, bytes: usize) -> Arc<Capture> {
    let connection = Connection { number, peer: ([127, 0, 0, 1], 1).into(), secure: false };
    let raw = Raw { bytes: Bytes::from(vec![b'x'; bytes]), cut: false };
    let arrival = Arrival::Head { raw: Some(raw), why: "odd".to_owned() };
    Arc::new(Capture::without_request(number, UNIX_EPOCH, connection, arrival))
}

fn kept(captures: &Captures) -> Vec<u64> {
    captures.all().iter().map(|capture| capture.number).collect()
}

#[test]
fn for_one_capture_too_many_the_oldest_goes() {
    let captures = Captures::keeping(MAX_CAPTURES);
    let last = MAX_CAPTURES as u64;
    for number in 1..=last {
        captures.record(capture(number, 0));
    }
    assert_eq!((kept(&captures).len(), captures.counts().dropped), (MAX_CAPTURES, 0));
    captures.record(capture(last + 1, 0));
    assert_eq!(kept(&captures), (2..=last + 1).collect::<Vec<_>>());
    assert_eq!(captures.counts().dropped, 1);
}

#[test]
fn for_one_byte_too_many_the_oldest_captures_go_but_not_the_last() {
    let empty = capture(1, 0).weight();
    for (more, left) in [(0, vec![1, 2, 3]), (1, vec![2, 3])] {
        let captures = Captures::keeping(MAX_CAPTURES);
        let bytes = MAX_CAPTURED_BYTES - 3 * empty + more;
        for (number, bytes) in [(1, 1_000), (2, 1_000), (3, bytes - 2_000)] {
            captures.record(capture(number, bytes));
        }
        assert_eq!(kept(&captures), left);
        captures.record(capture(4, MAX_CAPTURED_BYTES + 1));
        assert_eq!(kept(&captures), [4], "what came last is kept");
    }
}

#[test]
fn a_thread_that_waits_is_told_of_what_comes() {
    const LONG: Duration = Duration::from_secs(60);
    for forget in [false, true] {
        let (captures, watch) = (Captures::keeping(10), crate::clock::Stopwatch::start());
        let waiting = captures.clone();
        let waiter = std::thread::spawn(move || waiting.wait_for_blocking(1, LONG));
        while captures.log().blocked == 0 {
            std::thread::yield_now();
        }
        if forget {
            captures.clear();
        }
        captures.record(capture(1, 0));
        assert_eq!(waiter.join().unwrap().unwrap().len(), 1);
        assert!(watch.elapsed() < LONG, "it looked only when its time was over");
        assert_eq!(captures.log().blocked, 0);
    }
}
