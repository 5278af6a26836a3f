//! Taking requests in, beside wiremock and beside a bare hyper server that reads the body and answers 200, in the same run:
//! look at the ratios. Ours checks, records and answers with a verdict.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use payload::generate::Play;
use receiver::MockReceiver;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Connections that are kept alive, as a sender has them.
const CONNECTIONS: usize = 4;

/// Requests on each of them in one round.
const REQUESTS: usize = 50;

type Connection = SendRequest<Full<Bytes>>;

/// Bodies that no receiver has seen, so that none is a duplicate.
fn bodies() -> impl Iterator<Item = Bytes> {
    (0..).flat_map(|seed| Play::new(seed, 500, 1_689_391_131).map(|event| Bytes::from(event.to_json())))
}

async fn bare() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let mut tasks = JoinSet::new();
    let accept = async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let answer = |request: http::Request<Incoming>| async {
                let body = request.into_body().collect().await.map(|body| body.to_bytes().len());
                Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from(format!("{body:?}")))))
            };
            tasks.spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(answer)),
            );
        }
    };
    // The task lives as long as its runtime.
    let mut forever = JoinSet::new();
    forever.spawn(accept);
    std::mem::forget(forever);
    address
}

async fn connect(address: SocketAddr) -> Vec<Connection> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket has the option");
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .expect("HTTP/1.1 has no handshake");
        let mut task = JoinSet::new();
        task.spawn(connection);
        std::mem::forget(task);
        connections.push(sender);
    }
    connections
}

async fn round(connections: &mut Vec<Connection>, bodies: &mut impl Iterator<Item = Bytes>) {
    let mut under_way = JoinSet::new();
    for mut connection in connections.drain(..) {
        let bodies: Vec<_> = bodies.take(REQUESTS).collect();
        under_way.spawn(async move {
            for body in bodies {
                let request = http::Request::post("/")
                    .header("host", "receiver")
                    .header("content-type", "application/json")
                    .body(Full::new(body))
                    .expect("the request is well formed");
                connection.ready().await.expect("the connection is kept alive");
                let answer = connection.send_request(request).await.expect("it is answered");
                assert_eq!(answer.status(), 200);
                answer.into_body().collect().await.expect("the answer comes whole");
            }
            connection
        });
    }
    while let Some(connection) = under_way.join_next().await {
        connections.push(connection.expect("no request fails"));
    }
}

fn receiving(criterion: &mut Criterion) {
    // One thread for servers and clients: the ratio is of work, not of luck with two cores.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut group = criterion.benchmark_group("receiving");
    group.throughput(Throughput::Elements((CONNECTIONS * REQUESTS) as u64));
    let receiver = runtime.block_on(MockReceiver::start()).expect("loopback has a free port");
    // Without its own record of every request, which it would keep for ever.
    let mock = runtime.block_on(MockServer::builder().disable_request_recording().start());
    runtime.block_on(Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&mock));
    let servers = [
        ("ours", receiver.address()),
        ("wiremock", *mock.address()),
        ("bare hyper", runtime.block_on(bare())),
    ];
    for (name, address) in servers {
        measure(&mut group, &runtime, name, address);
    }
    group.finish();
}

fn measure(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    runtime: &Runtime,
    name: &str,
    address: SocketAddr,
) {
    let (mut connections, mut bodies) = (runtime.block_on(connect(address)), bodies());
    group.bench_function(name, |bencher| {
        bencher.iter(|| runtime.block_on(round(&mut connections, &mut bodies)));
    });
}

criterion_group!(benches, receiving);
criterion_main!(benches);
