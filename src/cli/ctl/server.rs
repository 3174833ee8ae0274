//! The run's end of its socket: one thread, no waiting for anybody. It answers questions, passes wishes on to the gate,
//! and feeds those who watch.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};

use super::place::Place;
use super::protocol::{Answer, Ask, Attached, Hello, LONGEST_ASK, Slow, Status, VERSION};
use crate::cli::limits;
use crate::cli::origin::user_name;
use crate::engine::MOST_WORKERS;
use crate::engine::gate::{Forks, Gate};
use crate::event::{Control, EventKind};
use crate::names::HostName;
use crate::report::delivery::Teller;
use crate::report::feed::Feed;
use crate::source::nearest;

/// Most connections at once.
const MOST: usize = 16;
/// Bytes on the way to one watcher, beside what waits in the feed.
const ON_THE_WAY: usize = 256 * 1024;
/// Hosts that `status` names.
const SLOWEST: usize = 5;

/// What can be asked about, and what can be changed.
pub struct Run {
    /// The run's id.
    pub id: String,
    /// Its hosts.
    pub hosts: Vec<HostName>,
    /// Who may work.
    pub gate: Arc<Gate>,
    /// What is told.
    pub feed: Feed,
    /// Where changes are told.
    pub teller: Teller,
    /// Lets running tasks end and starts nothing new; the argument says by whom.
    pub drain: Box<dyn Fn(&str) + Send>,
}

/// The thread. It ends when this is dropped.
pub struct Server {
    stop: Arc<AtomicBool>,
    bell: Bell,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Wakes the thread.
#[derive(Clone)]
pub struct Bell(Arc<UnixStream>);

impl Bell {
    /// A bell and what hears it.
    pub fn new() -> io::Result<(Self, UnixStream)> {
        let (ring, hear) = UnixStream::pair()?;
        ring.set_nonblocking(true)?;
        hear.set_nonblocking(true)?;
        Ok((Self(Arc::new(ring)), hear))
    }

    /// Rings. A bell that is full was heard already.
    pub fn ring(&self) {
        let _ = (&*self.0).write(b"!");
    }
}

impl Server {
    /// Listens in the run's folder. `hears` is the other end of `bell`.
    pub fn start(dir: &Path, runtime: Option<&Path>, run: Run, bell: Bell, hears: UnixStream) -> io::Result<Self> {
        let (place, listener) = Place::listen(dir, runtime)?;
        let stop = Arc::new(AtomicBool::new(false));
        let work = Work {
            run,
            listener,
            hears,
            clients: Vec::new(),
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new().name("control".to_owned()).spawn(move || {
            let _place = place;
            work.serve();
        })?;
        Ok(Self {
            stop,
            bell,
            thread: Some(thread),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.bell.ring();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Work {
    run: Run,
    listener: UnixListener,
    hears: UnixStream,
    clients: Vec<Client>,
    stop: Arc<AtomicBool>,
}

struct Client {
    stream: UnixStream,
    /// Who it is: `root, process 123`.
    by: String,
    asked: Vec<u8>,
    /// Lines to be written, the first one maybe in part.
    out: VecDeque<Arc<[u8]>>,
    written: usize,
    waiting: usize,
    watcher: Option<u64>,
    /// Nothing more is read from it.
    deaf: bool,
    gone: bool,
}

impl Work {
    fn serve(mut self) {
        while !self.stop.load(Ordering::SeqCst) {
            if self.wait().is_err() {
                break;
            }
            self.clear_bell();
            self.accept();
            for index in 0..self.clients.len() {
                self.read(index);
            }
            self.feed();
            let feed = &self.run.feed;
            self.clients.retain(|client| {
                if let (true, Some(number)) = (client.gone, client.watcher) {
                    feed.unwatch(number);
                }
                !client.gone
            });
        }
        // The last events; who does not take them now has the journal.
        self.feed();
    }

    fn wait(&self) -> io::Result<()> {
        let mut fds = vec![PollFd::new(&self.hears, PollFlags::IN)];
        if self.clients.len() < MOST {
            fds.push(PollFd::new(&self.listener, PollFlags::IN));
        }
        for client in &self.clients {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, !client.deaf);
            flags.set(PollFlags::OUT, !client.out.is_empty());
            fds.push(PollFd::new(&client.stream, flags));
        }
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn clear_bell(&mut self) {
        let mut rings = [0; 512];
        while matches!(self.hears.read(&mut rings), Ok(1..)) {}
    }

    fn accept(&mut self) {
        while self.clients.len() < MOST
            && let Ok((stream, _)) = self.listener.accept()
        {
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            let Some(by) = ours(&stream) else {
                // The modes keep others out already; one line fits whoever reads.
                let mut line = serde_json::to_vec(&Answer::no("it belongs to another user")).unwrap_or_default();
                line.push(b'\n');
                let _ = (&stream).write(&line);
                continue;
            };
            let mut client = Client {
                stream,
                by,
                asked: Vec::new(),
                out: VecDeque::new(),
                written: 0,
                waiting: 0,
                watcher: None,
                deaf: false,
                gone: false,
            };
            client.say(&Hello {
                batchssh: env!("CARGO_PKG_VERSION").to_owned(),
                protocol: VERSION,
                run: self.run.id.clone(),
            });
            self.clients.push(client);
        }
    }

    fn read(&mut self, index: usize) {
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        let mut lines = Vec::new();
        let mut bytes = [0; 4096];
        while !client.gone {
            match client.stream.read(&mut bytes) {
                Ok(0) => client.gone = true,
                // Who watches has nothing more to ask; what is said is taken so that its end is seen.
                Ok(_) if client.deaf => {}
                Ok(count) => {
                    client.asked.extend_from_slice(bytes.get(..count).unwrap_or_default());
                    while let Some(at) = client.asked.iter().position(|byte| *byte == b'\n') {
                        lines.push(client.asked.drain(..=at).collect::<Vec<u8>>());
                    }
                    client.gone |= client.asked.len() > LONGEST_ASK;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => client.gone = true,
            }
        }
        // A question whose asker did not wait for the answer is heard all the same.
        let by = client.by.clone();
        for line in lines {
            let answer = match serde_json::from_slice::<Ask>(&line) {
                Ok(ask) => self.answer(index, &ask, &by),
                Err(error) => Answer::no(format!("this is no question: {error}")),
            };
            if let Some(client) = self.clients.get_mut(index) {
                client.say(&answer);
            }
        }
    }

    fn answer(&mut self, index: usize, ask: &Ask, by: &str) -> Answer {
        let run = &self.run;
        match ask {
            Ask::Status => Answer {
                status: Some(status(run)),
                ..Answer::yes("")
            },
            Ask::Forks { change } => self.forks(change, by),
            Ask::Pause => self.set_paused(true, by),
            Ask::Resume => self.set_paused(false, by),
            Ask::Drain => {
                if run.feed.live().stopping {
                    return Answer::yes("it is draining already");
                }
                (run.drain)(by);
                Answer::yes(Control::Draining.words())
            }
            Ask::Skip { hosts } => self.skip(hosts, by),
            Ask::Attach => {
                let (number, seq) = run.feed.watch();
                if let Some(client) = self.clients.get_mut(index) {
                    client.watcher = Some(number);
                    client.deaf = true;
                }
                Answer {
                    attached: Some(Attached { seq }),
                    ..Answer::yes("")
                }
            }
        }
    }

    fn tell(&self, change: Control, by: &str) {
        let by = by.to_owned();
        self.run.teller.tell(EventKind::Controlled { change, by });
    }

    fn forks(&self, change: &str, by: &str) -> Answer {
        let change: Forks = match change.parse() {
            Ok(change) => change,
            Err(error) => return Answer::no(error),
        };
        let wanted = change.from(self.run.gate.setting().limit).clamp(1, MOST_WORKERS);
        if let Err(error) = limits::check(wanted, self.run.hosts.len()) {
            return Answer::no(error.message);
        }
        let (from, to) = self.run.gate.set_forks(Forks::Exactly(wanted));
        let control = Control::Forks { from, to };
        let said = control.words();
        if from != to {
            self.tell(control, by);
        }
        Answer::yes(said)
    }

    fn set_paused(&self, paused: bool, by: &str) -> Answer {
        let control = if paused { Control::Paused } else { Control::Resumed };
        if !self.run.gate.set_paused(paused) {
            return Answer::yes(if paused {
                "it is paused already"
            } else {
                "it is not paused"
            });
        }
        let said = control.words();
        self.tell(control, by);
        Answer::yes(said)
    }

    fn skip(&self, names: &[String], by: &str) -> Answer {
        let mut wanted = Vec::new();
        for name in names {
            let Some(host) = self.run.hosts.iter().find(|host| host.as_str() == name) else {
                let near = nearest(name, self.run.hosts.iter().map(HostName::as_str));
                let help = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return Answer::no(format!("`{name}` is no host of this run{help}"));
            };
            wanted.push(host);
        }
        let mut said = Vec::new();
        for host in wanted {
            if self.run.gate.skip(host, by) {
                let control = Control::Skipped { host: host.clone() };
                said.push(control.words());
                self.tell(control, by);
            } else {
                said.push(format!("{host} is left out already"));
            }
        }
        Answer::yes(said.join("\n"))
    }

    /// Gives watchers what waits for them, and writes what can be written.
    fn feed(&mut self) {
        for client in &mut self.clients {
            loop {
                if let (Some(number), true) = (client.watcher, client.waiting < ON_THE_WAY) {
                    for line in self.run.feed.take(number, ON_THE_WAY) {
                        client.push(line);
                    }
                }
                let before = client.waiting;
                client.write();
                // Written all of it: there may be more in the feed.
                if client.gone || client.waiting > 0 || before == 0 {
                    break;
                }
            }
        }
    }
}

impl Client {
    fn say(&mut self, what: &impl serde::Serialize) {
        match serde_json::to_vec(what) {
            Ok(mut line) => {
                line.push(b'\n');
                self.push(Arc::from(line));
            }
            Err(_) => self.gone = true,
        }
        // Who asks and asks and never reads the answers is not worth the memory.
        self.gone |= self.watcher.is_none() && self.waiting > ON_THE_WAY;
    }

    fn push(&mut self, line: Arc<[u8]>) {
        self.waiting += line.len();
        self.out.push_back(line);
    }

    fn write(&mut self) {
        while let Some(line) = self.out.front() {
            let rest = line.get(self.written..).unwrap_or_default();
            match self.stream.write(rest) {
                Ok(count) => {
                    self.written += count;
                    self.waiting -= count;
                    if self.written >= line.len() {
                        self.out.pop_front();
                        self.written = 0;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
    }
}

fn status(run: &Run) -> Status {
    let (live, setting) = (run.feed.live(), run.gate.setting());
    let mut slowest: Vec<Slow> = live
        .running
        .iter()
        .map(|(host, (since, task))| Slow {
            host: host.to_string(),
            task: task.clone(),
            seconds: since.elapsed().as_secs_f64(),
        })
        .collect();
    slowest.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    slowest.truncate(SLOWEST);
    let state = match (live.finished, live.stopping, setting.paused) {
        (true, _, _) => "finished",
        (_, true, _) => "stopping",
        (_, _, true) => "paused",
        (false, false, false) => "running",
    };
    Status {
        run: run.id.clone(),
        title: live.title,
        seconds: Instant::now().saturating_duration_since(live.begun).as_secs_f64(),
        state: state.to_owned(),
        forks: setting.limit,
        working: setting.working,
        hosts: live.hosts,
        done: live.done,
        failed: live.failed,
        unreachable: live.unreachable,
        in_doubt: live.in_doubt,
        play: live.play,
        task: live.task,
        slowest,
    }
}

/// Who is at the other end, when it is the user that the run belongs to.
#[cfg(target_os = "linux")]
fn ours(stream: &UnixStream) -> Option<String> {
    let peer = rustix::net::sockopt::socket_peercred(stream).ok()?;
    let is_ours = peer.uid == rustix::process::geteuid();
    is_ours.then(|| format!("{}, process {}", user_name(peer.uid), peer.pid.as_raw_nonzero()))
}

/// Elsewhere the modes of the socket and its folder have to do.
#[cfg(not(target_os = "linux"))]
fn ours(_: &UnixStream) -> Option<String> {
    Some(user_name(rustix::process::geteuid()))
}
