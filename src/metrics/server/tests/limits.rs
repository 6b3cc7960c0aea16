//! Clients that are too slow or too many.

use super::*;

#[test]
fn a_client_that_never_reads_ends_after_its_time_and_others_are_served_meanwhile() {
    let (mut server, mut answers) = (tcp(), Noted::of(20 << 20));
    let mut hanging = connect(&server);
    hanging.write_all(GET.as_bytes()).unwrap();
    let address = server.addresses().unwrap().remove(0);
    let other = serve(&mut server, &mut answers, move || {
        let mut other = connect_to(&address);
        other.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        rest(other)
    });
    assert_eq!(status(&other), "HTTP/1.1 200 OK");
    assert_eq!(server.figures().requests, 2);
    let now = Instant::now();
    settle(&mut server, &mut answers, now);
    assert!(open(&server) >= 1 && server.due().is_some_and(|due| due <= now + PATIENCE));
    server.act(now + PATIENCE, &mut answers);
    assert_eq!((open(&server), server.figures().overdue), (0, 1));
}

#[test]
fn half_a_request_gets_an_answer_after_its_time_and_no_request_gets_none() {
    let (mut server, mut answers) = (tcp(), Noted::of(3));
    let (mut half, silent) = (connect(&server), connect(&server));
    half.write_all(b"GET /metrics HT").unwrap();
    let now = Instant::now();
    let begun = |server: &MetricsServer| {
        server.connections.iter().flatten().filter(|open| open.connection.quiet_since().is_none()).count()
    };
    act_until(&mut server, &mut answers, now, |server| open(server) == 2 && begun(server) == 1);
    server.act(now + PATIENCE - Duration::from_millis(1), &mut answers);
    assert_eq!((open(&server), server.due()), (2, Some(now + PATIENCE)));
    server.act(now + PATIENCE, &mut answers);
    settle(&mut server, &mut answers, now + PATIENCE);
    assert_eq!(rest(silent), "");
    assert_eq!((open(&server), server.figures().overdue), (1, 2));
    server.act(now + PATIENCE + PATIENCE, &mut answers);
    assert_eq!((status(&rest(half)), open(&server)), ("HTTP/1.1 408 Request Timeout", 0));
}

#[test]
fn an_idle_connection_stays_and_makes_room_when_there_are_too_many() {
    let (mut server, mut answers) = (tcp(), Noted::of(3));
    let mut first = connect(&server);
    first.write_all(GET.as_bytes()).unwrap();
    let now = Instant::now();
    act_until(&mut server, &mut answers, now, |server| server.figures().requests == 1);
    settle(&mut server, &mut answers, now);
    server.act(now + IDLE - Duration::from_secs(1), &mut answers);
    assert_eq!((open(&server), server.figures().overdue), (1, 0));
    let now = now + Duration::from_secs(5);
    let mut others = Vec::new();
    // One connects after the other, so that none waits in the kernel.
    while others.len() < MOST_CONNECTIONS - 1 {
        others.push(connect(&server));
        act_until(&mut server, &mut answers, now, |server| open(server) > others.len());
    }
    // The oldest one is quiet, and leaves. The others have just come, so the next one is refused.
    let mut next = connect(&server);
    act_until(&mut server, &mut answers, now, |server| {
        server.connections[0].as_ref().is_some_and(|open| open.connection.deadline() == now + PATIENCE)
    });
    let refused = connect(&server);
    act_until(&mut server, &mut answers, now, |server| server.figures().refused == 1);
    assert_eq!(status(&rest(refused)), "HTTP/1.1 503 Service Unavailable");
    assert_eq!(open(&server), MOST_CONNECTIONS);
    let next = serve(&mut server, &mut answers, move || {
        next.write_all(LAST_GET.as_bytes()).unwrap();
        rest(next)
    });
    assert_eq!(status(&next), "HTTP/1.1 200 OK");
}

#[test]
fn of_a_thousand_connections_at_once_each_gets_an_answer_or_a_close() {
    let (mut server, mut answers) = (tcp(), Noted::of(100));
    let address = server.addresses().unwrap().remove(0);
    let served = serve(&mut server, &mut answers, move || {
        let clients: Vec<_> = (0..5)
            .map(|_| {
                let address = address.clone();
                let client = move || {
                    let streams: Vec<_> = (0..200).map(|_| connect_to(&address)).collect();
                    let answers = streams.into_iter().map(|mut stream| {
                        // One that was refused is closed, and the kernel may say so at any call.
                        let mut bytes = Vec::new();
                        let _ = stream.write_all(LAST_GET.as_bytes());
                        let _ = stream.read_to_end(&mut bytes);
                        bytes.starts_with(b"HTTP/1.1 200 OK")
                    });
                    answers.filter(|is_served| *is_served).count()
                };
                thread::spawn(client)
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum::<usize>()
    });
    assert!(served >= 1, "{:?}", server.figures());
    assert!(server.connections.len() <= MOST_CONNECTIONS);
    settle(&mut server, &mut answers, Instant::now());
    assert_eq!(server.figures().requests as usize, served, "{:?}", server.figures());
}

#[test]
fn a_call_does_a_limited_amount_of_work_and_the_server_rests_after_too_much_in_a_second() {
    let (mut server, mut answers) = (tcp(), Noted::of(1 << 20));
    let ServerAddress::Tcp(address) = server.addresses().unwrap().remove(0) else { panic!("no TCP address") };
    let (end, ends) = mpsc::channel::<()>();
    let flood = thread::spawn(move || {
        let mut streams: Vec<TcpStream> = Vec::new();
        while matches!(ends.try_recv(), Err(mpsc::TryRecvError::Empty)) {
            // In the end, nobody listens any more.
            let Ok(mut stream) = TcpStream::connect(address) else { break };
            stream.write_all(LAST_GET.as_bytes()).unwrap_or_default();
            streams.push(stream);
            // The kernel keeps some connections that wait; the flood is as fast as the server.
            if streams.len() > 50 {
                streams.remove(0);
            }
        }
    });
    let now = Instant::now();
    while server.wake_descriptor().is_some() {
        let before = (server.pace.steps(), server.figures().requests);
        server.act(now, &mut answers);
        let steps = server.pace.steps() - before.0;
        assert!(steps <= 2 * STEPS_OF_CALL, "{steps} steps in one call");
    }
    assert!(server.pace.steps() < MOST_STEPS + STEPS_OF_CALL || server.pace.rests_until().is_some());
    // While it rests, the descriptor does not wake the count, and a call does nothing.
    let before = server.figures();
    server.act(now, &mut answers);
    assert_eq!(server.figures(), before);
    assert!(server.due().is_some_and(|due| due <= now + Duration::from_secs(1)));
    drop(end);
    server.act(now + Duration::from_secs(2), &mut answers);
    assert!(server.wake_descriptor().is_some());
    drop(server);
    flood.join().unwrap();
}

#[test]
fn without_descriptors_it_accepts_nothing_for_a_second_and_goes_on() {
    let (mut server, mut answers) = (tcp(), Noted::of(3));
    let mut waiting = connect(&server);
    waiting.write_all(LAST_GET.as_bytes()).unwrap();
    let now = Instant::now();
    server.rest_from_accepting(now);
    settle(&mut server, &mut answers, now);
    // The waiting connection does not wake the count again and again.
    let descriptor = server.wake_descriptor().unwrap();
    assert_eq!(wait_for_any([descriptor].into_iter(), Some(Duration::ZERO)).unwrap(), [false]);
    assert_eq!((open(&server), server.due()), (0, Some(now + NO_DESCRIPTORS)));
    server.act(now + NO_DESCRIPTORS, &mut answers);
    let answer = serve(&mut server, &mut answers, move || rest(waiting));
    assert_eq!(status(&answer), "HTTP/1.1 200 OK");
}
