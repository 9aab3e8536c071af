#include "team.h"

#include <stdbool.h>
#include <stddef.h>

#include "cpu.h"
#include "input.h"
#include "report.h"

// Steps are numbered like the passes, from 1 on. The fill comes before them,
// and after the last of them the check of all words and the end.
#define NO_MORE_PASSES (UINT64_MAX - 1)
#define END UINT64_MAX

struct worker leader;

// The pass that CPUs may begin.
static uint64_t current_pass __attribute__((aligned(64)));

static void wait_for_all(uint64_t step)
{
    for (struct worker *worker = &leader; worker != NULL; worker = worker->next) {
        while (__atomic_load_n(&worker->step, __ATOMIC_ACQUIRE) != step) {
            pause();
        }
    }
}

static bool is_enough(const struct options *options, uint64_t passes)
{
    // A request from the first moments does not mean no pass at all.
    return passes > 0 && (passes == options->passes || end_was_requested());
}

// The leader's part between two passes. The line about the one is printed while
// the others begin the next.
static void lead_on(const struct options *options, uint64_t pass)
{
    uint64_t passes = pass - 1;
    uint64_t next = is_enough(options, passes) ? NO_MORE_PASSES : pass;
    __atomic_store_n(&current_pass, next, __ATOMIC_RELEASE);
    if (passes > 0 && options->report_every != 0 && passes % options->report_every == 0) {
        report_pass(passes, options->checks);
    }
}

// Waits until all CPUs can begin this pass. False if there is none.
static bool begin_pass(struct worker *worker, uint64_t pass)
{
    __atomic_store_n(&worker->step, pass, __ATOMIC_RELEASE);
    if (worker == &leader) {
        wait_for_all(pass);
        lead_on(worker->options, pass);
    }
    uint64_t current;
    while ((current = __atomic_load_n(&current_pass, __ATOMIC_ACQUIRE)) < pass) {
        pause();
    }
    return current == pass;
}

_Noreturn static void end_work(struct worker *worker, uint64_t passes)
{
    __atomic_store_n(&worker->step, END, __ATOMIC_RELEASE);
    if (worker == &leader) {
        wait_for_all(END);
        report_success(passes);
    }
    for (;;) {
        pause(); // until the leader turns the machine off
    }
}

void work(void *argument)
{
    struct worker *worker = argument;
    struct share *share = &worker->share;
    lay_out_share(share, worker->options, worker->number);
    fill_share(share);

    throttle_share(share, worker->options, worker->tsc_khz);
    uint64_t passes = 0;
    while (begin_pass(worker, passes + 1)) {
        passes++;
        make_pass(share, passes);
    }
    check_share(share, passes);
    end_work(worker, passes);
}
