//! Where a host is in its play: a stack of task lists. Blocks, rescues, included files and handlers are lists pushed
//! on top of the list they stand in. Positions of different hosts can be compared, which is how the `linear` strategy
//! finds the task that is next for the fleet.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::plan::{Block, Entry, Role, Task};

/// A place in a play, ordered as the tasks are: an earlier task has a smaller position.
pub type Position = Vec<u32>;

/// One host's way through one play.
#[derive(Debug)]
pub struct Cursor {
    frames: Vec<Frame>,
    /// Handlers that were notified, by their number in the play.
    notified: BTreeSet<usize>,
    /// Roles of which a task has run on this host.
    ran_roles: Vec<Arc<Role>>,
    /// Roles ended early (`meta: end_role`).
    ended_roles: Vec<Arc<Role>>,
    /// The host failed and was not rescued; what is left on the stack is `always` and handlers.
    failed: bool,
}

#[derive(Debug)]
struct Frame {
    list: List,
    index: usize,
    /// Orders lists that hang on the same task: sections of a block, included files.
    key: u32,
    /// A failure waits for the end of this `always`.
    failing: bool,
    /// Lists that follow this one at the same place (an include in a loop).
    siblings: VecDeque<(u32, Arc<Vec<Entry>>)>,
}

#[derive(Debug)]
enum List {
    Entries(Arc<Vec<Entry>>),
    Section(Arc<Block>, Section),
    Handlers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Body,
    Rescue,
    Always,
}

/// What a failure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// A `rescue` takes over: the host has not failed.
    Rescued,
    /// The host failed; `always` sections may still be ahead.
    Failed,
}

impl Frame {
    fn new(list: List, key: u32) -> Self {
        Self {
            list,
            index: 0,
            key,
            failing: false,
            siblings: VecDeque::new(),
        }
    }

    fn entries(&self) -> &[Entry] {
        match &self.list {
            List::Entries(entries) => entries,
            List::Section(block, Section::Body) => &block.body,
            List::Section(block, Section::Rescue) => &block.rescue,
            List::Section(block, Section::Always) => &block.always,
            List::Handlers => &[],
        }
    }
}

impl Cursor {
    /// At the first of `entries`.
    pub fn new(entries: Arc<Vec<Entry>>) -> Self {
        let frames = vec![Frame::new(List::Entries(entries), 0)];
        Self {
            frames,
            notified: BTreeSet::new(),
            ran_roles: Vec::new(),
            ended_roles: Vec::new(),
            failed: false,
        }
    }

    /// The next task and its position; `None` at the end. `wanted` says whether a task is selected (tags);
    /// handlers are not asked about. Does not move past the task: [`advance`](Self::advance) does.
    pub fn peek(&mut self, handlers: &[Arc<Task>], wanted: &dyn Fn(&Task) -> bool) -> Option<(Position, Arc<Task>)> {
        loop {
            let frame = self.frames.last_mut()?;
            if matches!(frame.list, List::Handlers) {
                match self.notified.range(frame.index..).next().copied() {
                    Some(index) if index < handlers.len() => {
                        frame.index = index;
                        return Some((self.position(), handlers[index].clone()));
                    }
                    _ => self.end_of_list(),
                }
                continue;
            }
            match frame.entries().get(frame.index).cloned() {
                Some(Entry::Task(task)) => {
                    if wanted(&task) && !self.is_ended(&task) {
                        return Some((self.position(), task));
                    }
                    self.advance();
                }
                Some(Entry::Block(block)) => self.frames.push(Frame::new(List::Section(block, Section::Body), 0)),
                None => self.end_of_list(),
            }
        }
    }

    /// Moves past the task that [`peek`](Self::peek) gave.
    pub fn advance(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            if matches!(frame.list, List::Handlers) {
                self.notified.remove(&frame.index);
            }
            frame.index += 1;
        }
    }

    /// Goes into included lists, one after the other, instead of past the task that includes them.
    pub fn enter(&mut self, lists: Vec<(u32, Arc<Vec<Entry>>)>) {
        let mut lists = VecDeque::from(lists);
        let Some((key, first)) = lists.pop_front() else {
            self.advance();
            return;
        };
        // A handler that includes tasks is done with once it is entered.
        if let Some(frame) = self.frames.last_mut()
            && matches!(frame.list, List::Handlers)
        {
            self.notified.remove(&frame.index);
        }
        let mut frame = Frame::new(List::Entries(first), key);
        frame.siblings = lists;
        self.frames.push(frame);
    }

    /// Goes into the notified handlers, at the `flush_handlers` that [`peek`](Self::peek) gave.
    pub fn flush(&mut self) {
        if self.notified.is_empty() {
            self.advance();
        } else {
            self.frames.push(Frame::new(List::Handlers, 0));
        }
    }

    /// Remembers that a handler is to run.
    pub fn notify(&mut self, handler: usize) {
        self.notified.insert(handler);
    }

    /// The handlers that were notified.
    pub fn notified(&self) -> Vec<usize> {
        self.notified.iter().copied().collect()
    }

    /// The task that [`peek`](Self::peek) gave is a handler.
    pub fn is_at_handler(&self) -> bool {
        self.frames
            .last()
            .is_some_and(|frame| matches!(frame.list, List::Handlers))
    }

    /// What a failure of the current task would lead to, without going there.
    pub fn after_failure(&self) -> AfterFailure {
        let rescues = self
            .frames
            .iter()
            .rev()
            .any(|frame| matches!(&frame.list, List::Section(block, Section::Body) if !block.rescue.is_empty()));
        if rescues && !self.failed {
            AfterFailure::Rescued
        } else {
            AfterFailure::Failed
        }
    }

    /// The current task failed: goes to the next `rescue` or `always`. With `force_handlers` a host that failed for
    /// good still runs the handlers it notified.
    pub fn fail(&mut self, force_handlers: bool) -> AfterFailure {
        while let Some(frame) = self.frames.last_mut() {
            if let List::Section(block, section) = &mut frame.list {
                if *section == Section::Body && !block.rescue.is_empty() {
                    frame.enter_section(Section::Rescue);
                    return AfterFailure::Rescued;
                }
                if *section != Section::Always && !block.always.is_empty() {
                    frame.enter_section(Section::Always);
                    frame.failing = true;
                    return self.after_failure();
                }
            }
            self.frames.pop();
        }
        if force_handlers && !self.failed && !self.notified.is_empty() {
            self.frames.push(Frame::new(List::Handlers, u32::MAX));
        }
        self.failed = true;
        AfterFailure::Failed
    }

    /// No more tasks for this host in this play.
    pub fn end(&mut self) {
        self.frames.clear();
    }

    /// A task of this role has run: other uses of it with the same parameters are passed over.
    pub fn role_ran(&mut self, role: &Arc<Role>) {
        if !self.ran_roles.iter().any(|ran| Arc::ptr_eq(ran, role)) {
            self.ran_roles.push(role.clone());
        }
    }

    /// No more tasks of this role for this host.
    pub fn end_role(&mut self, role: &Arc<Role>) {
        self.ended_roles.push(role.clone());
        self.advance();
    }

    /// The host failed and nothing rescued it.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether a failure elsewhere (`any_errors_fatal`) leaves this host alone because it is cleaning up already.
    pub fn is_rescuing(&self) -> bool {
        self.frames
            .iter()
            .any(|frame| matches!(&frame.list, List::Section(_, Section::Rescue | Section::Always)))
    }

    fn is_ended(&self, task: &Task) -> bool {
        let Some(role) = &task.role else { return false };
        let repeated = |ran: &Arc<Role>| ran.key == role.key && !Arc::ptr_eq(ran, role);
        self.ended_roles.iter().any(|ended| Arc::ptr_eq(ended, role))
            || !role.allow_duplicates && self.ran_roles.iter().any(repeated)
    }

    fn position(&self) -> Position {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.frames
            .iter()
            .flat_map(|frame| [frame.key, number(frame.index)])
            .collect()
    }

    fn end_of_list(&mut self) {
        let Some(frame) = self.frames.last_mut() else { return };
        if let List::Section(block, section) = &frame.list {
            let has_always = !block.always.is_empty();
            if *section != Section::Always && has_always {
                frame.enter_section(Section::Always);
                return;
            }
            if frame.failing {
                self.frames.pop();
                self.fail(false);
                return;
            }
        }
        if let Some((key, list)) = frame.siblings.pop_front() {
            let siblings = std::mem::take(&mut frame.siblings);
            *frame = Frame::new(List::Entries(list), key);
            frame.siblings = siblings;
            return;
        }
        self.frames.pop();
        // Past the block, include or flush that this list hung on.
        if let Some(parent) = self.frames.last_mut() {
            parent.index += 1;
        }
    }
}

impl Frame {
    fn enter_section(&mut self, section: Section) {
        if let List::Section(_, current) = &mut self.list {
            *current = section;
        }
        self.index = 0;
        self.key = match section {
            Section::Body => 0,
            Section::Rescue => 1,
            Section::Always => 2,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Action, Keywords, Meta};
    use crate::yaml::Node;

    fn task(name: &str) -> Entry {
        let span = crate::source::Span::new(&crate::source::SourceFile::new("t", ""), 1, 1);
        Entry::Task(Arc::new(Task {
            name: Some(Node::text(name, &span)),
            role: None,
            action: Action::Meta(Meta::Noop),
            action_name: "meta".into(),
            at: span,
            repeat: None,
            until: None,
            detach: None,
            register: None,
            changed_when: None,
            failed_when: None,
            notify: Vec::new(),
            listen: Vec::new(),
            keywords: Keywords::default(),
            include_vars: Vec::new(),
            search: Vec::new(),
            implicit: false,
            depth: 0,
        }))
    }

    fn block(body: Vec<Entry>, rescue: Vec<Entry>, always: Vec<Entry>) -> Entry {
        let at = crate::source::Span::new(&crate::source::SourceFile::new("t", ""), 1, 1);
        Entry::Block(Arc::new(Block {
            name: None,
            body,
            rescue,
            always,
            at,
        }))
    }

    /// Walks to the end; tasks whose name begins with `!` fail.
    fn walk(entries: Vec<Entry>) -> (Vec<String>, bool) {
        let mut cursor = Cursor::new(Arc::new(entries));
        let mut seen = Vec::new();
        let mut last: Position = Vec::new();
        while let Some((position, task)) = cursor.peek(&[], &|_| true) {
            assert!(position > last, "positions grow: {position:?} after {last:?}");
            last = position;
            let name = task.name.as_ref().unwrap().as_str().unwrap().to_owned();
            if name.starts_with('!') {
                cursor.fail(false);
            } else {
                cursor.advance();
            }
            seen.push(name);
        }
        (seen, cursor.has_failed())
    }

    #[test]
    fn a_rescue_takes_over_and_always_runs() {
        let entries = vec![
            task("a"),
            block(vec![task("!b"), task("not reached")], vec![task("r")], vec![task("w")]),
            task("z"),
        ];
        assert_eq!(
            walk(entries),
            (vec!["a".into(), "!b".into(), "r".into(), "w".into(), "z".into()], false)
        );
    }

    #[test]
    fn a_failing_rescue_fails_the_host_after_its_always() {
        let entries = vec![
            block(vec![task("!b")], vec![task("!r")], vec![task("w")]),
            task("not reached"),
        ];
        assert_eq!(walk(entries), (vec!["!b".into(), "!r".into(), "w".into()], true));
    }

    #[test]
    fn an_outer_rescue_takes_over_from_an_inner_always() {
        let inner = block(vec![task("!b")], vec![], vec![task("w")]);
        let entries = vec![
            block(vec![inner, task("not reached")], vec![task("r")], vec![]),
            task("z"),
        ];
        assert_eq!(
            walk(entries),
            (vec!["!b".into(), "w".into(), "r".into(), "z".into()], false)
        );
    }

    #[test]
    fn included_lists_run_where_their_task_stands() {
        let mut cursor = Cursor::new(Arc::new(vec![task("include"), task("z")]));
        let first = cursor.peek(&[], &|_| true).unwrap().0;
        cursor.enter(vec![(1, Arc::new(vec![task("x")])), (2, Arc::new(vec![task("y")]))]);
        let mut names = Vec::new();
        while let Some((position, task)) = cursor.peek(&[], &|_| true) {
            assert!(position > first);
            names.push(task.name.as_ref().unwrap().as_str().unwrap().to_owned());
            cursor.advance();
        }
        assert_eq!(names, ["x", "y", "z"]);
    }

    #[test]
    fn notified_handlers_run_once_in_the_order_of_the_play() {
        let handlers: Vec<Arc<Task>> = ["h0", "h1", "h2"]
            .iter()
            .map(|name| match task(name) {
                Entry::Task(task) => task,
                Entry::Block(_) => unreachable!(),
            })
            .collect();
        let mut cursor = Cursor::new(Arc::new(vec![task("flush"), task("z")]));
        cursor.notify(2);
        cursor.notify(0);
        cursor.notify(2);
        cursor.peek(&handlers, &|_| true).unwrap();
        cursor.flush();
        let mut names = Vec::new();
        while let Some((_, task)) = cursor.peek(&handlers, &|_| true) {
            names.push(task.name.as_ref().unwrap().as_str().unwrap().to_owned());
            cursor.advance();
        }
        assert_eq!(names, ["h0", "h2", "z"]);
    }
}
