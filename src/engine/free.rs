//! The `free` and `host_pinned` strategies: each host goes through the play as fast as it can.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::engine::cursor::Position;
use crate::engine::host::HostRun;
use crate::engine::include::Included;
use crate::engine::play::PlayRun;
use crate::engine::task::{Next, Work};
use crate::engine::{Engine, scope};
use crate::event::{EventKind, Status};
use crate::plan::{Action, Meta};

/// Runs a batch to its end. False: nothing more of the whole run is to be done.
pub fn run(engine: &Engine<'_>, play: &PlayRun, hosts: &mut [HostRun], last: bool) -> bool {
    let told = Mutex::new(HashSet::new());
    engine.pool.in_place_scope_fifo(|spawner| {
        for host in hosts.iter_mut() {
            let told = &told;
            spawner.spawn_fifo(move |_| {
                engine.skip_to_start(play, host);
                walk(engine, play, host, told);
                if last || host.out {
                    host.release(engine.shared);
                }
                if !host.cut {
                    host.links.close();
                    if last && host.has_verdict() {
                        host.tell_done(engine.shared);
                    }
                }
            });
        }
    });
    !engine.shared.cancel.is_winding_down()
}

fn walk(engine: &Engine<'_>, play: &PlayRun, host: &mut HostRun, told: &Mutex<HashSet<Position>>) {
    let shared = engine.shared;
    loop {
        let handlers = play.handlers();
        let Some((position, task)) = host.cursor.peek(&handlers.tasks, &|task| engine.is_wanted(task)) else {
            return;
        };
        if shared.cancel.is_winding_down() {
            host.cut = true;
            return;
        }
        let scope = scope::build(shared, play, &host.name, &host.vars, Some(&task)).unwrap_or_default();
        let name = engine.title(&task, &scope);
        let work = Work {
            shared,
            play,
            task: &task,
            name: &name,
            id: shared.id_of(&task),
            once: false,
        };
        if !matches!(task.action, Action::Meta(_))
            && told.lock().unwrap_or_else(PoisonError::into_inner).insert(position)
        {
            (shared.tell)(EventKind::TaskStarted {
                task: name.clone(),
                path: work.path(),
                handler: host.cursor.is_at_handler(),
            });
        }
        let next = match work.recall(host) {
            Some(next) => {
                work.tell_restored(vec![host.name.clone()]);
                next
            }
            None => engine.guarded(&work, host).0,
        };
        match next {
            Next::NotRun => {
                host.cut = true;
                return;
            }
            Next::Advance => host.cursor.advance(),
            Next::Fail => engine.host_failed(play, host),
            Next::Out => {
                host.out = true;
                host.cursor.end();
            }
            Next::Meta(Meta::EndPlay | Meta::EndBatch) => host.cursor.end(),
            Next::Meta(meta) => Engine::host_meta(shared, meta, host),
            Next::Include(wishes) => {
                let mut included = Included::default();
                let lists: Result<Vec<_>, _> = wishes
                    .iter()
                    .map(|wish| included.list(shared, play, &task, wish, &host.name))
                    .collect();
                match lists {
                    Ok(lists) => {
                        for (file, hosts) in included.told() {
                            (shared.tell)(EventKind::Included { file, hosts });
                        }
                        host.note(Status::Ok, "", None);
                        host.cursor.enter(lists);
                    }
                    Err(error) => match work.fail(host, &error) {
                        Next::Advance => host.cursor.advance(),
                        _ => engine.host_failed(play, host),
                    },
                }
            }
        }
    }
}
