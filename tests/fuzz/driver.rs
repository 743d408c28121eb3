//! Makes inputs: those that there are, changed a little, and kept where they lead to places in
//! the code to which none has led yet, or cost more than any of their size.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::measure::{self, Cost, PLACES};
use super::targets::{Scratch, TARGETS, Target};

/// What every input may cost, however short it is.
const BLOCKS: u64 = 400_000;
const MEMORY: usize = 2 << 20;
const TIME: u64 = 200_000_000;
/// What a block takes at most, in nanoseconds, where only time is known: without
/// optimization, and on a slow machine.
const BLOCK: u64 = 60;

/// How long an input may take before the process ends itself, which leaves the input.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is longer is no part of a corpus, unless it was a defect.
const LONGEST_KEPT: usize = 1 << 10;

/// How long an input is made shorter.
const SHORTENING: Duration = Duration::from_millis(60);

/// How much stack there is, as for a process.
pub const STACK: usize = 8 << 20;

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what panics say, in place of printing it.
pub fn catch_panics() {
    panic::set_hook(Box::new(|info| {
        PANIC.with(|panic| *panic.borrow_mut() = info.to_string());
    }));
}

/// Does with `input` what the target does; what was wrong.
pub fn tried(target: &Target, scratch: &Scratch, input: &[u8]) -> Result<Cost, String> {
    let mut result = Ok(());
    let mut work = || {
        result = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(scratch, input)));
    };
    let cost = measure::cost(&mut work);
    if result.is_err() {
        return Err(PANIC.with(|panic| panic.take()));
    }
    let length = input.len();
    let (blocks, memory) =
        (BLOCKS + target.blocks * length as u64, MEMORY + target.memory * length);
    if cost.memory > memory {
        return Err(format!("took {} bytes of memory, not {memory}", cost.memory));
    }
    if cost.blocks > blocks {
        return Err(format!("went through {} blocks of code, not {blocks}", cost.blocks));
    }
    if cost.blocks == 0 && cost.time > TIME + blocks * BLOCK {
        return Err(format!("took {} ms for {length} bytes", cost.time / 1_000_000));
    }
    Ok(cost)
}

/// All inputs in the directories, the shortest first, without those that are there twice.
pub fn inputs(directories: &[PathBuf]) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for directory in directories {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            all.push((name, fs::read(entry.path()).unwrap()));
        }
    }
    all.sort_by(|(a, one), (b, other)| {
        (one.len(), one, is_plain(a)).cmp(&(other.len(), other, is_plain(b)))
    });
    all.dedup_by(|(_, one), (_, other)| one == other);
    all
}

/// Whether a file has the name that inputs get here.
fn is_plain(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|c| c.is_ascii_hexdigit())
}

/// What an input's file is called.
fn name_of(input: &[u8]) -> String {
    let mix = |sum: u64, c: &u8| (sum ^ u64::from(*c)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", input.iter().fold(0xcbf2_9ce4_8422_2325, mix))
}

/// Where the inputs of `target` are kept.
pub fn corpus(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target.name)
}

/// What has been seen so far.
struct Seen {
    places: Vec<u8>,
    /// By the length of the input, the most blocks and memory.
    most: BTreeMap<u32, (u64, usize)>,
}

impl Seen {
    fn new() -> Self {
        Self { places: vec![0; PLACES], most: BTreeMap::new() }
    }

    /// Takes in what the last work came to; whether any of it is new.
    fn add(&mut self) -> bool {
        let mut any = false;
        measure::places(&mut |place, bit| {
            any |= self.places[place] & bit == 0;
            self.places[place] |= bit;
        });
        any
    }

    /// Whether what an input of this length cost is more than what any did.
    fn costs_most(&mut self, length: usize, cost: Cost) -> bool {
        let most = self.most.entry((length | 1).ilog2()).or_default();
        let is_more =
            cost.blocks > most.0 + most.0 / 8 + 64 || cost.memory > most.1 + most.1 / 8 + 256;
        if is_more {
            *most = (most.0.max(cost.blocks), most.1.max(cost.memory));
        }
        is_more
    }

    fn count(&self) -> u32 {
        self.places.iter().map(|bits| bits.count_ones()).sum()
    }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// A length, mostly a small one.
    fn length(&mut self, most: usize) -> usize {
        let bits = self.below(usize::BITS as usize - most.leading_zeros() as usize + 1);
        self.below((1 << bits).min(most + 1)).max(1)
    }
}

/// Numbers at which programs decide.
const NUMBERS: [u64; 14] =
    [0, 1, 2, 4, 16, 64, 127, 128, 255, 4096, 0x7fff_ffff, 0xffff_ffff, u64::MAX >> 1, u64::MAX];

/// `input` with something done to it; `other` is one of which a part may be taken.
fn change(random: &mut Random, input: &mut Vec<u8>, other: &[u8], target: &Target) {
    let at = random.below(input.len() + 1);
    let part = |random: &mut Random, of: &[u8]| -> Vec<u8> {
        let start = random.below(of.len());
        let length = random.length(of.len());
        of[start.min(of.len())..(start + length).min(of.len())].to_vec()
    };
    let word = |random: &mut Random| -> Vec<u8> {
        match target.words.len() {
            0 => vec![random.next() as u8],
            count => target.words[random.below(count)].to_vec(),
        }
    };
    match random.below(14) {
        0 | 1 if at < input.len() => input[at] ^= 1 << random.below(8),
        2 if at < input.len() => input[at] = random.next() as u8,
        3 if at < input.len() => {
            input[at] = input[at].wrapping_add(random.below(9) as u8).wrapping_sub(4);
        }
        4 => {
            let count = random.length(8);
            let bytes = (0..count).map(|_| random.next() as u8).collect::<Vec<_>>();
            input.splice(at..at, bytes);
        }
        5 | 6 => {
            let end = (at + random.length(input.len())).min(input.len());
            input.drain(at..end);
        }
        7 => {
            // Again and again: what takes the square of it is seen then.
            let bytes = part(random, input);
            let most = target.longest.saturating_sub(input.len()) / bytes.len().max(1);
            let times = random.length(most.max(1));
            input.splice(at..at, bytes.repeat(times));
        }
        8 => {
            let bytes = part(random, other);
            input.splice(at..at, bytes);
        }
        9 => {
            let own = input.clone();
            let from = if random.below(2) == 0 { other } else { &own };
            let bytes = part(random, from);
            let end = (at + bytes.len()).min(input.len());
            input.splice(at..end, bytes);
        }
        10 | 11 => {
            let word = word(random);
            let end = if random.below(2) == 0 { at } else { (at + word.len()).min(input.len()) };
            input.splice(at..end, word);
        }
        12 => {
            let number = match random.below(3) {
                0 => input.len() as u64,
                1 => random.below(input.len() + 1) as u64,
                _ => NUMBERS[random.below(NUMBERS.len())],
            };
            let number = number.wrapping_add(random.below(5) as u64).wrapping_sub(2);
            let width = 1 << random.below(4);
            let mut bytes = number.to_le_bytes()[..width].to_vec();
            if random.below(2) == 0 {
                bytes.reverse();
            }
            let end = (at + width).min(input.len());
            input.splice(at..end, bytes);
        }
        _ => {
            let words: Vec<u8> = (0..random.length(64)).flat_map(|_| word(random)).collect();
            input.splice(at..at, words);
        }
    }
    input.truncate(target.longest);
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Adds a line to the report: what applets print goes to the streams.
fn tell(line: &str) {
    let path = variable("NANOMOD_FUZZ_REPORT").unwrap();
    let mut report = OpenOptions::new().append(true).create(true).open(path).unwrap();
    report.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// What `scripts/fuzz` runs. The variables say of which target, for how long, and where.
#[test]
#[ignore = "scripts/fuzz runs it"]
fn fuzz() {
    let name = variable("NANOMOD_FUZZ").unwrap();
    if name.is_empty() {
        TARGETS.iter().for_each(|target| tell(target.name));
        return;
    }
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let found = PathBuf::from(variable("NANOMOD_FUZZ_FOUND").unwrap());
    let seconds = variable("NANOMOD_FUZZ_SECONDS").unwrap().parse().unwrap();
    let is_merge = variable("NANOMOD_FUZZ_MERGE").is_some();
    let work =
        move || if is_merge { merge(target, &found) } else { drive(target, &found, seconds) };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap();
    thread.join().unwrap();
}

static EXECUTIONS: AtomicU64 = AtomicU64::new(0);

/// Ends the process where an input takes too long.
fn watch() {
    std::thread::spawn(|| {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let now = EXECUTIONS.load(Relaxed);
            if now != last {
                (last, since) = (now, Instant::now());
            } else if since.elapsed() > PATIENCE {
                std::process::abort();
            }
        }
    });
}

fn drive(target: &Target, found: &Path, seconds: u64) {
    let scratch = Scratch::new();
    let directory = found.join(target.name);
    fs::create_dir_all(&directory).unwrap();
    catch_panics();
    watch();
    // Where the input is that is tried: for who finds this process dead.
    let now = fs::File::create(found.join(format!("{}.last", target.name))).unwrap();
    let mut seen = Seen::new();
    let mut all: Vec<Vec<u8>> = Vec::new();
    let began = Instant::now();
    let mut random =
        Random(began.elapsed().as_nanos() as u64 ^ u64::from(std::process::id()) << 32 | 1);
    let mut new = 0;
    // For each byte of what is not short: how much below the bounds that is.
    let (mut blocks, mut memory) = (0, 0);
    let mut exam = |input: Vec<u8>, all: &mut Vec<Vec<u8>>, is_kept: bool| {
        now.set_len(input.len() as u64).and_then(|()| now.write_all_at(&input, 0)).unwrap();
        EXECUTIONS.fetch_add(1, Relaxed);
        match tried(target, &scratch, &input) {
            Ok(cost) => {
                let length = input.len().max(256);
                blocks = blocks.max(cost.blocks / length as u64);
                memory = memory.max(cost.memory / length);
                let is_new = seen.add() | seen.costs_most(input.len(), cost);
                if is_new && !is_kept {
                    fs::write(directory.join(name_of(&input)), &input).unwrap();
                    new += 1;
                }
                if is_new {
                    all.push(input);
                }
            }
            Err(what) => {
                let file = found.join(format!("{}-{}", target.name, name_of(&input)));
                fs::write(&file, &input).unwrap();
                tell(&format!("FOUND {}: {what}\n  {}", target.name, file.display()));
                std::process::exit(1);
            }
        }
    };
    for seed in (target.seeds)() {
        exam(seed, &mut all, false);
    }
    for (_, input) in inputs(&[corpus(target), directory.clone()]) {
        exam(input, &mut all, true);
    }
    if all.is_empty() {
        all.push(Vec::new());
    }
    while began.elapsed() < Duration::from_secs(seconds) {
        for _ in 0..64 {
            // What is new leads on.
            let recent = all.len() - random.below(all.len().div_ceil(8));
            let at = if random.below(3) == 0 { recent - 1 } else { random.below(all.len()) };
            let mut input = all[at].clone();
            let other = random.below(all.len());
            for _ in 0..random.length(6) {
                change(&mut random, &mut input, &all[other], target);
            }
            exam(input, &mut all, false);
        }
    }
    tell(&format!(
        "{}: {} executions in {} s, {} places, {} inputs, {new} of them new; \
         {blocks} blocks and {memory} bytes of memory for a byte at most",
        target.name,
        EXECUTIONS.load(Relaxed),
        began.elapsed().as_secs(),
        seen.count(),
        all.len(),
    ));
}

/// Makes the corpus of what is there and what was found: few inputs, and short, that come to
/// the same places.
fn merge(target: &Target, found: &Path) {
    let scratch = Scratch::new();
    catch_panics();
    let corpus = corpus(target);
    let mut all = inputs(&[corpus.clone(), found.join(target.name)]);
    all.extend((target.seeds)().into_iter().map(|seed| (name_of(&seed), seed)));
    // What was a defect stays as it is, whatever it leads to.
    all.sort_by_key(|(name, input)| (is_plain(name), input.len()));
    let mut kept: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut seen = Seen::new();
    for (name, mut input) in all {
        if tried(target, &scratch, &input).is_err() {
            continue;
        }
        let mut wanted = Vec::new();
        // How often is what the driver finds by itself.
        measure::places(&mut |place, _| {
            if seen.places[place] == 0 {
                wanted.push(place);
            }
        });
        if !is_plain(&name) {
            seen.add();
            kept.insert(name, input);
            continue;
        }
        if wanted.is_empty() {
            continue;
        }
        shorten(target, &scratch, &mut input, &wanted);
        if input.len() > LONGEST_KEPT {
            continue;
        }
        // What it leads to itself, as it is now.
        let _ = tried(target, &scratch, &input);
        seen.add();
        kept.insert(name_of(&input), input);
    }
    let _ = fs::remove_dir_all(&corpus);
    fs::create_dir_all(&corpus).unwrap();
    let bytes: usize = kept.values().map(Vec::len).sum();
    tell(&format!(
        "{}: {} inputs, {bytes} bytes, {} places",
        target.name,
        kept.len(),
        seen.count()
    ));
    for (name, input) in kept {
        fs::write(corpus.join(name), input).unwrap();
    }
}

/// Takes out of `input` what is not needed to come to the places that are `wanted`.
fn shorten(target: &Target, scratch: &Scratch, input: &mut Vec<u8>, wanted: &[usize]) {
    let mut step = input.len() / 2;
    let began = Instant::now();
    while step > 0 && began.elapsed() < SHORTENING {
        let mut at = 0;
        while at < input.len() && began.elapsed() < SHORTENING {
            let mut less = input.clone();
            less.drain(at..(at + step).min(input.len()));
            let mut left = wanted.len();
            if tried(target, scratch, &less).is_ok() {
                measure::places(&mut |place, _| {
                    left -= usize::from(wanted.contains(&place));
                });
            }
            if left == 0 {
                *input = less;
            } else {
                at += step;
            }
        }
        step /= 2;
    }
}
