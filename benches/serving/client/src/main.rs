//! Types a text over WebSockets, and measures how fast suggestions arrive.
//!
//! `typing-client URL TEXT UNIT CONNECTIONS SECONDS [RATE]`: each connection types the file TEXT by UNIT, "words" or
//! "letters", each an insert at the cursor. Without RATE, one follows the answer to the one before (a closed loop).
//! With it, so many per second are typed in all, at times that were fixed before; one that has to wait counts from
//! the time at which it should have been typed. Prints a line of JSON.

use std::error::Error;
use std::net::TcpStream;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use tungstenite::{Message, WebSocket};

type Failure = Box<dyn Error + Send + Sync>;

/// The words or letters after which a connection begins a new text.
const LENGTH: usize = 2000;

struct Plan {
    address: String,
    url: String,
    units: Vec<String>,
    seconds: Duration,
    /// The time between two units of one connection; none in a closed loop.
    pause: Option<Duration>,
}

/// What one connection has seen: the time of each answer, and the problems.
#[derive(Default)]
struct Seen {
    micros: Vec<u64>,
    problems: u64,
}

fn main() {
    if let Err(failure) = run() {
        eprintln!("typing-client: {failure}");
        process::exit(1);
    }
}

fn run() -> Result<(), Failure> {
    let given: Vec<String> = env::args().skip(1).collect();
    let [url, text, unit, connections, seconds, rate @ ..] = given.as_slice() else {
        return Err("expected URL TEXT UNIT CONNECTIONS SECONDS [RATE]".into());
    };
    let text = fs::read_to_string(text)?;
    let units = match unit.as_str() {
        "words" => text.split_whitespace().map(|word| format!("{word} ")).collect(),
        "letters" => text.chars().map(String::from).collect(),
        other => return Err(format!("UNIT: expected words or letters, got {other}").into()),
    };
    let connections: usize = connections.parse()?;
    let rate: Option<f64> = rate.first().map(|rate| rate.parse()).transpose()?;
    let rest = url.strip_prefix("ws://").ok_or("URL: expected ws://…")?;
    let plan = Plan {
        address: rest.split('/').next().unwrap_or(rest).to_owned(),
        url: url.clone(),
        units,
        seconds: Duration::from_secs_f64(seconds.parse()?),
        pause: rate.map(|rate| Duration::from_secs_f64(connections as f64 / rate)),
    };
    let began = Instant::now();
    let found: Vec<Result<Seen, Failure>> = thread::scope(|scope| {
        let typing: Vec<_> = (0..connections)
            .map(|i| {
                let plan = &plan;
                scope.spawn(move || typed(plan, i, connections))
            })
            .collect();
        typing.into_iter().map(|one| one.join().unwrap_or_else(|_| Err("panicked".into()))).collect()
    });
    report(found, began.elapsed().min(plan.seconds));
    Ok(())
}

/// Types over one connection until the time is over.
fn typed(plan: &Plan, number: usize, connections: usize) -> Result<Seen, Failure> {
    let stream = TcpStream::connect(&plan.address)?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = tungstenite::client(plan.url.as_str(), stream)?;
    let (mut seen, began) = (Seen::default(), Instant::now());
    let offset = plan.pause.unwrap_or_default().mul_f64(number as f64 / connections as f64);
    let first = number * plan.units.len() / connections;
    for i in 0.. {
        let due = plan.pause.map_or_else(|| began.elapsed(), |pause| offset + pause * i as u32);
        if due >= plan.seconds {
            break;
        }
        thread::sleep(due.saturating_sub(began.elapsed()));
        let unit = &plan.units[(first + i) % plan.units.len()];
        let edit = if i % LENGTH == 0 { "text" } else { "insert" };
        if !ask(&mut socket, &format!("{{\"{edit}\":{}}}", quoted(unit)))? {
            seen.problems += 1;
        }
        seen.micros.push((began.elapsed() - due).as_micros() as u64);
    }
    socket.close(None)?;
    while socket.read().is_ok() {}
    Ok(seen)
}

/// Sends a message; returns whether its answer has suggestions.
fn ask(socket: &mut WebSocket<TcpStream>, message: &str) -> Result<bool, Failure> {
    socket.send(Message::text(message))?;
    loop {
        if let Message::Text(answer) = socket.read()? {
            return Ok(answer.contains("\"suggestions\":"));
        }
    }
}

/// A text as a string of JSON.
fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            c if c < ' ' => format!("\\u{:04x}", c as u32).chars().collect(),
            c => vec![c],
        })
        .collect();
    format!("\"{escaped}\"")
}

fn report(found: Vec<Result<Seen, Failure>>, elapsed: Duration) {
    let (mut micros, mut problems, mut failures) = (Vec::new(), 0, 0);
    for one in found {
        match one {
            Ok(seen) => {
                micros.extend(seen.micros);
                problems += seen.problems;
            }
            Err(failure) => {
                eprintln!("typing-client: {failure}");
                failures += 1;
            }
        }
    }
    micros.sort_unstable();
    let at = |share: f64| match micros.len() {
        0 => 0.0,
        n => micros[((n - 1) as f64 * share) as usize] as f64 / 1000.0,
    };
    println!(
        "{{\"answers\":{},\"per_second\":{:.1},\"p50_ms\":{:.3},\"p99_ms\":{:.3},\"problems\":{problems},\"failures\":{failures}}}",
        micros.len(),
        micros.len() as f64 / elapsed.as_secs_f64(),
        at(0.5),
        at(0.99),
    );
}
