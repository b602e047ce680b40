#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plants bugs, one at a time, and demands that the simulation of the scheduler finds each.

A mutant is one exact text in one file that is replaced by another. A text that is not there
exactly once fails: the list is stale. Only the changed file is compiled; it is linked before
the libraries, so that it takes the place of the right one.

The history that killed a mutant is remembered (mutants.seeds) and played first; the hunt through
new ones begins only if the mutant survives it, as it may when dice have come to be thrown in
another order. `make mutants REMEMBER=1` writes what the hunts have found.

Within --seconds as many mutants are tried as begin in that time (tests/mutants/budget.py).

Usage: mutants.py --build DIR --link "CC FLAGS" --libs "-l..." [--remember] [--seconds N] [NAME...]  (make mutants)
NAME: only mutants whose name holds it.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import resource
import shlex
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mutants"))

from budget import Budget  # noqa: E402

HISTORIES = 3000  # at most, for one mutant
SEED = 1
WORKERS = 2
# A mutant may turn for ever. Its own seconds are counted, not those of a busy machine.
CPU_SECONDS = 600
WALL_SECONDS = 7200
SEEDS = pathlib.Path(__file__).with_name("mutants.seeds")

MUTANTS = [
    # the claim of a slot, and the store
    ("a claim of the decided slot", "lib/state/state_memory_lease.c",
     "if (ask->slot.ms && row->slot.ms >= ask->slot.ms)", "if (ask->slot.ms && row->slot.ms > ask->slot.ms)"),
    ("a lease that never ends", "lib/state/state_memory_lease.c",
     "return row->expires.ms > now.ms && !etl_streq(row->holder, ask->holder)",
     "return *row->holder && !etl_streq(row->holder, ask->holder)"),
    ("a lease that keeps nobody out", "lib/state/state_memory_lease.c",
     "return row->expires.ms > now.ms && !etl_streq(row->holder, ask->holder)",
     "return row->expires.ms > now.ms && false && !etl_streq(row->holder, ask->holder)"),
    ("a commit without its fence", "lib/state/state_memory.c",
     "if (!row || row->mark.fence != c->fence)", "if (!row)"),
    ("a cursor that notes move back", "lib/state/state_memory_lease.c",
     "if (!row->slot.ms || moves)", "if (!row->slot.ms || moves || !notes[i].back)"),
    # skips
    ("the cursor before the record", "lib/run/skip.c",
     "\tif (save_record(env, job, skip, err) < 0)\n\t\treturn -1;\n\tif (!back",
     "\tstruct etl_slot_note early = {job, back ? skip->first : last, schedule, back};\n"
     "\tif (env->state->ops->slots_save(env->state, &early, 1, err) < 0 ||\n"
     "\t\tsave_record(env, job, skip, err) < 0)\n\t\treturn -1;\n\tif (!back"),
    ("an overlapped slot that nobody tells of", "lib/sched/sched_queue.c",
     "\tetl_sched_skip(sched, job, &skip);\n\tetl_trigger_fini(trigger);\n}",
     "\t(void)sched;\n\t(void)job;\n\t(void)skip;\n\tetl_trigger_fini(trigger);\n}"),
    ("skips out of the order of their slots", "lib/sched/sched_record.c",
     "if (job->recording || job->n_skips || older_goes(job, skip->first))",
     "if (job->recording || job->n_skips)"),
    # what the scheduler decides
    ("jitter ignored where slots fall due", "lib/sched/sched.c",
     "due = etl_wall_sub(now, etl_job_jitter(job->job, sched->host));\n\t\ttake_back_early",
     "due = now;\n\t\ttake_back_early"),
    ("jitter ignored where the timer is armed", "lib/sched/sched.c",
     "wait = etl_wall_diff(jittered(sched, job, job->next), now);",
     "(void)jittered;\n\twait = etl_wall_diff(job->next, now);"),
    ("no way back from a refusal", "lib/sched/sched_queue.c",
     "\tetl_sched_unrun(sched, job, ran);\n\tlook_later(sched, job, wait);", "\tlook_later(sched, job, wait);"),
    ("no way back from a lost store", "lib/sched/sched_queue.c",
     "\tetl_sched_unrun(sched, job, ran);\n\tlook_later(sched, job, ETL_SECONDS(30));",
     "\t(void)ran;\n\tlook_later(sched, job, ETL_SECONDS(30));"),
    ("run_each from the newest back", "lib/sched/sched_queue.c",
     "\tetl_calendar_next(job->job->calendar, job->each_after, &trigger.slot);\n",
     "\ttrigger.slot = etl_slots_nth_last(job->job->calendar, job->each_after, job->each_until, 1);\n"),
    ("run_each as of now", "lib/sched/sched_queue.c", "\ttrigger.as_of = trigger.slot;\n", ""),
    ("run_each past a slot that waits", "lib/sched/sched.c",
     "if (etl_sched_waits_from(job, &waits)) {", "if (etl_sched_waits_from(job, &waits) && !waits.ms) {"),
    ("run_latest tells of one slot too few", "lib/sched/slots.c",
     "return (struct etl_skip){slots->first, last, n, code};",
     "return (struct etl_skip){newest_too ? slots->first : last, last, n, code};"),
    ("a pause that decides all the same", "lib/sched/sched.c",
     "if (sched->store && !sched->stopped && !job->paused && job->job->calendar) {",
     "if (sched->store && !sched->stopped && job->job->calendar) {"),
    ("a pause that nobody tells of", "lib/sched/sched.c",
     "struct etl_skip skip = {slots.first, slots.newest, slots.n, ETL_SKIP_PAUSED};\n\n"
     "\t\tetl_sched_skip(sched, job, &skip);", "(void)slots;"),
    ("an edited schedule that is replayed", "lib/sched/sched.c",
     "\tif (job->decided.ms < now.ms)\n\t\tjob->decided = now;\n\tjob->job = config;",
     "\tjob->job = config;"),
    ("a restart that forgets the cursor", "lib/sched/sched.c",
     "\t\tjob->decided = info->slot;\n\t\tskip_closed(sched, job);", "\t\tskip_closed(sched, job);"),
    ("a clock that was far ahead is believed", "lib/sched/sched.c",
     "if (job->decided.ms <= etl_wall_add(now, ETL_SLOT_AHEAD_MAX).ms)",
     "if (job->decided.ms <= etl_wall_add(now, ETL_DAYS(36500)).ms)"),
    ("one place too many", "lib/sched/sched_queue.c",
     "sched->active < sched->max_active) {", "sched->active <= sched->max_active) {"),
    ("backfills before live runs", "lib/sched/sched_queue.c",
     "struct etl_sched_job *job = leave(sched, LANE_LIVE);\n",
     "struct etl_sched_job *job = backfill_may_start(sched) ? NULL : leave(sched, LANE_LIVE);\n"),
    ("dependants are not told", "lib/sched/sched_queue.c",
     "if (outcome->moved)", "if (outcome->moved && sched->stopped)"),
    ("an edit's note that takes along what waits", "lib/sched/sched_record.c",
     "etl_wall slot = job->noted.ms < job->decided.ms ? job->noted : job->decided;", "etl_wall slot = job->decided;"),
    ("what an edit passed over goes with a slot that waits", "lib/sched/sched_record.c",
     "while (stay < job->n_skips && job->skips[stay].first.ms < skip->first.ms)",
     "while (stay < job->n_skips && job->skips[stay].first.ms < job->each_until.ms)"),
    # sensors
    ("a sensor's no that lets through", "lib/sched/sched_sensor.c",
     "if (satisfied || !job->job->wait_for) {", "if (satisfied || *said) {"),
    ("a slot given up that nobody tells of", "lib/sched/sched_sensor.c",
     "\tif (trigger->slot.ms)\n\t\tetl_sched_skip(sched, job, &skip);\n", "\t(void)skip;\n"),
    ("a slot given up at the first no", "lib/sched/sched_sensor.c",
     "else if (sched->store && etl_mono_now(sched->clock).us >= job->sensing_until.us) {", "else if (sched->store) {"),
    ("a slot that waits for ever", "lib/sched/sched_sensor.c",
     "else if (sched->store && etl_mono_now(sched->clock).us >= job->sensing_until.us) {", "else if (!sched) {"),
    ("a clock set back under a slot that waits for its sensor", "lib/sched/sched.c",
     "if (job->waiting && job->waiting->slot.ms > due.ms)", "if (job->waiting && !due.ms)"),
    # what is to be stored
    ("a skip that a lost MongoDB takes with it", "daemon/engine/outbox.c",
     "bool may_pass = s->error.kind == ETL_TRANSIENT;", "bool may_pass = false;"),
    # deadlines
    ("an alert for a window that is closed", "daemon/engine/deadline.c",
     "if (found && late->watermark.ms >= late->deadline.window.end.ms)", "if (found < 0)"),
    ("an alert that is told each time", "lib/state/state_memory_docs.c",
     "if (stored && (!when || ", "if (stored && when && ("),
    ("an alert before its time", "lib/plan/deadline.c",
     "out->due = etl_wall_add(out->window.end, deadline);", "out->due = etl_wall_add(out->window.start, deadline);"),
    ("late windows that nobody tells of", "daemon/engine/deadline.c",
     "else if (d.window.start.ms > job->partitions[i].told.ms)",
     "else if (job->partitions[i].told.ms && d.window.start.ms < job->partitions[i].told.ms)"),
    # full reads
    ("a full read that stands for the time to come", "lib/flow/step_commit.c",
     "\t\treturn run->planned;\n", "\t\treturn etl_wall_add(run->planned, ETL_MINUTES(1));\n"),
    ("a full read only once", "lib/plan/window_plan.c",
     "due_add(out, whole, n ? ETL_DUE_AGAIN : ETL_DUE_NEW, n ? &entries[0] : NULL);",
     "if (!n)\n\t\tdue_add(out, whole, ETL_DUE_NEW, NULL);"),
    # runs and windows
    ("ok by default", "lib/run/run.c",
     "run->state = ok + blocked ? ETL_RUN_PARTIAL : ETL_RUN_FAILED;", "run->state = ETL_RUN_OK;"),
    ("windows by a clock that is ahead", "lib/run/run.c",
     "if (run->lease.now.ms && run->lease.now.ms < run->planned.ms)",
     "if (run->lease.now.ms && run->lease.now.ms < 0)"),
    ("a dead run that nobody tells of", "lib/run/lease.c",
     "return found == 0 ?", "return found == 2 ?"),
    ("windows before they are final", "lib/plan/window_plan.c",
     "etl_wall last = etl_wall_sub(now, rules->settle);", "etl_wall last = now;"),
    ("a watermark over an open window", "lib/plan/window_plan.c",
     "if (here && (here->left_open || (!closed && !here->done)))", "if (here && here->left_open)"),
    ("the ledger before the data", "lib/flow/step_commit.c",
     "\tif (etl_loads_commit(strand, false, err) < 0)\n\t\treturn -1;\n\tpart_entries(",
     "\tfor (size_t i = 0; i < strand->run->job->n_loads; i++)\n\t\twork->slice.loads[i].joined = true;\n\tpart_entries("),
    ("changed windows that dependants never see", "lib/flow/step_commit.c",
     "mark_dependants(strand, &window->due->window, marks);", "(void)mark_dependants;"),
    ("a cancelled run that waits", "daemon/engine/strands.c",
     "if (s->need != ETL_NEED_NOTHING && atomic_load(&s->run->run->cancel) != ETL_CANCEL_NO)",
     "if (s->need != ETL_NEED_NOTHING && !s->run)"),
    # backfills
    ("a backfill that goes on from what it remembers", "daemon/engine/backfill_step.c",
     "if (taken_over || stored.state != ETL_BACKFILL_RUNNING)", "if (stored.state != ETL_BACKFILL_RUNNING)"),
    ("a backfill that dies with its etld", "daemon/engine/backfill.c",
     "if (!by_id(all->etld, all->running[i].id))", "if (0)"),
    # news
    ("slots of the store that nobody takes up", "daemon/engine/news.c",
     "\tif (found->first)\n\t\tetld_picture_schedules(", "\tif (!found)\n\t\tetld_picture_schedules("),
    ("a lost MongoDB that the scheduler is not told of", "daemon/engine/news.c",
     "\tetl_sched_store(etld->sched, false);\n", "\t(void)etld;\n"),
    ("a piece that ends and no backfill hears of it", "daemon/engine/news.c",
     "\t\tetld_backfills_run_ended(etld, run->run);\n", ""),
    ("a deadline that nobody looks at after a run", "daemon/engine/news.c",
     "\t\tetld_deadline_look(etld, job);\n", ""),
]


class Stale(Exception):
    pass


def plant(folder, path, old, new):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if text.count(old) != 1:
        raise Stale(f"{path} has the text {text.count(old)} times, not once: {old.strip()[:60]!r}")
    changed = os.path.join(folder, "mutant_" + os.path.basename(path))
    with open(changed, "w", encoding="utf-8") as f:
        f.write(f'#line 1 "{path}"\n' + text.replace(old, new))
    return changed


def make(options, folder, source):
    """The simulation with the changed file; what the compiler says is an error of the list."""
    with open(os.path.join(options.build, "flags"), encoding="utf-8") as f:
        compiler = shlex.split(f.read())
    obj, program = os.path.join(folder, "mutant.o"), os.path.join(folder, "sim_scheduler")
    build = options.build
    for command in (
            [*compiler, "-Wno-unused", "-c", "-o", obj, source],
            [*shlex.split(options.link), "-o", program, *shlex.split(options.objects), obj,
             f"{build}/libetld.a", f"{build}/libetl.a", *shlex.split(options.libs)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            raise Stale(done.stderr.strip()[:2000])
    return program


def play(program, *arguments):
    """(law, the history that broke it), or None."""
    environment = {**os.environ, "ETLD_SIM_SEED": str(SEED), "ETLD_SIM_HISTORIES": str(HISTORIES)}
    environment.pop("ETLD_SIM_SECONDS", None)
    try:
        done = subprocess.run(
            [program, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=WALL_SECONDS,
            env=environment, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS)))
    except subprocess.TimeoutExpired:
        return None  # the laws have to find it, not the clock
    law = re.search(r'the law "([^"]*)" is broken', done.stdout)
    again = re.search(r"play it again: sim_scheduler (\d+)", done.stdout)
    return (law.group(1), int(again.group(1))) if law and again else None


def hunt(program, remembered):
    """Histories that are known (seeds.h) come before new ones."""
    return (play(program, remembered) if remembered else None) or play(program)


def try_one(options, budget, remembered, number, name, path, old, new):
    """The seed that killed it, 0 if none did, or None if it is left."""
    folder = os.path.join(options.build, "mutants", str(number))
    os.makedirs(folder, exist_ok=True)
    try:
        planted = plant(folder, path, old, new)
        if budget.is_spent():
            return None
        found = hunt(make(options, folder, planted), remembered)
    except Stale as stale:
        print(f"not ok - {name}: {stale}", flush=True)
        return 0
    if not found:
        print(f"not ok - {name} ({path}): not found in {HISTORIES} histories", flush=True)
        return 0
    how = "as remembered" if found[1] == remembered else "after a hunt"
    print(f"ok - {name} ({path}): seed {found[1]}, {how}, \"{found[0]}\"", flush=True)
    return found[1]


def read_seeds():
    lines = SEEDS.read_text(encoding="utf-8").splitlines() if SEEDS.exists() else []
    return {name: int(seed) for seed, name in (line.split(" ", 1) for line in lines if line[:1].isdigit())}


def write_seeds(seeds):
    known = [m[0] for m in MUTANTS if m[0] in seeds]
    SEEDS.write_text("# The history that killed each mutant (mutants.py): make mutants REMEMBER=1\n" +
                     "".join(f"{seeds[name]} {name}\n" for name in known), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option in ("build", "link", "libs", "objects"):
        parser.add_argument("--" + option, required=True)
    parser.add_argument("--remember", action="store_true")
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    budget = Budget(options.seconds)
    wanted = budget.order([m for m in MUTANTS if not options.names or any(name in m[0] for name in options.names)])
    seeds = read_seeds()
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as threads:
        found = list(threads.map(
            lambda numbered: try_one(options, budget, seeds.get(numbered[1][0]), numbered[0], *numbered[1]),
            enumerate(wanted)))
    hunted = {m[0]: seed for m, seed in zip(wanted, found) if seed and seed != seeds.get(m[0])}
    if options.remember:
        write_seeds({**seeds, **hunted})
    elif hunted:
        print(f"# {len(hunted)} were found by a hunt: make mutants REMEMBER=1 remembers their histories")
    passed, failed = sum(bool(seed) for seed in found), found.count(0)
    print(f"# {time.monotonic() - began:.0f} s{budget.told(found.count(None), len(wanted))}")
    print(f"mutants: {passed} passed, {failed} failed")
    return 1 if failed or not (wanted or options.names) else 0


if __name__ == "__main__":
    sys.exit(main())
