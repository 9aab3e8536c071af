// fault: crashes in a way chosen on the command line, a few calls deep.
//
// The faults are made in C where C can make them. `volatile` keeps the
// compiler from seeing through them.

#include "cpu.h"
#include "descriptors.h"
#include "ending.h"
#include "paging.h"
#include "print.h"
#include "words.h"

#define NOT_INLINED __attribute__((noinline))

// Keeps the compiler from merging the calls before and after.
#define BARRIER() __asm__ volatile("" : : : "memory")

static void announce(const char *what)
{
    print("fault: about to ");
    print(what);
    print("\n");
}

// ---- ud2: an undefined instruction, with no interrupt table.

NOT_INLINED static void execute_undefined_instruction(void)
{
    __asm__ volatile("ud2");
}

NOT_INLINED static void check_invariants(void)
{
    execute_undefined_instruction();
    BARRIER();
}

NOT_INLINED static void fault_by_ud2(void)
{
    announce("execute ud2");
    check_invariants();
    BARRIER();
}

// ---- null: a field of a structure that is not there.

struct queue {
    uint64_t capacity;
    uint64_t *slots;
    uint64_t length; // at offset 16
};

struct device {
    struct queue *queue;
};

NOT_INLINED static uint64_t queue_length(const volatile struct queue *queue)
{
    return queue->length;
}

NOT_INLINED static uint64_t pending_requests(const volatile struct device *device)
{
    uint64_t length = queue_length(device->queue);
    BARRIER();
    return length;
}

NOT_INLINED static void fault_by_null_pointer(void)
{
    static volatile struct device device_without_queue;

    map_range(0, free_memory_start(), KERNEL_MEMORY);
    unmap_page(0);
    load_page_tables();
    announce("read through a null pointer");
    pending_requests(&device_without_queue);
    BARRIER();
}

// ---- stack: a recursion without an end.

struct node {
    const volatile struct node *next;
};

NOT_INLINED static uint64_t count_nodes(const volatile struct node *node)
{
    volatile uint64_t rest = 0;
    if (node->next != NULL) {
        rest = count_nodes(node->next);
    }
    return rest + 1;
}

NOT_INLINED static void fault_by_stack_overflow(void)
{
    extern char initial_stack[];

    // A list that goes round in a circle.
    static volatile struct node node;
    node.next = &node;

    // The first whole page of the stack becomes its guard page.
    uint64_t guard = ((uint64_t)initial_stack + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    map_range(0, free_memory_start(), KERNEL_MEMORY);
    unmap_page(guard);
    load_page_tables();
    announce("overflow the stack");
    count_nodes(&node);
    BARRIER();
}

// ---- wild-jump: a call through a function pointer with a wrong value.

struct operations {
    void (*start)(void);
};

NOT_INLINED static void start_device(const volatile struct operations *operations)
{
    operations->start();
    BARRIER();
}

NOT_INLINED static void fault_by_wild_jump(void)
{
    // An address that the monitor's page tables map, but where nothing is.
    static volatile struct operations corrupted = {(void (*)(void))0xdeadb000};

    announce("call a function at 0xdeadb000");
    start_device(&corrupted);
    BARRIER();
}

// ---- div: a division by zero, and a handler that faults in turn.

INTERRUPT_HANDLER NOT_INLINED static void broken_divide_handler(struct interrupt_frame *frame)
{
    (void)frame;
    __asm__ volatile("ud2");
}

NOT_INLINED static uint64_t average(uint64_t sum, volatile uint64_t count)
{
    return sum / count;
}

NOT_INLINED static void fault_by_division(void)
{
    load_only_handler(0, broken_divide_handler);
    announce("divide by zero");
    volatile uint64_t result = average(100, 0);
    (void)result;
    BARRIER();
}

void guest_main(const char *command_line)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } faults[] = {
        {"ud2", fault_by_ud2},
        {"null", fault_by_null_pointer},
        {"stack", fault_by_stack_overflow},
        {"wild-jump", fault_by_wild_jump},
        {"div", fault_by_division},
    };
    struct word word, surplus;

    skip_image_name(&command_line);
    if (next_word(&command_line, &word) && !next_word(&command_line, &surplus)) {
        for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++) {
            if (word_equals(word, faults[i].name)) {
                faults[i].run();
            }
        }
    }
    print("usage: fault ud2 | null | stack | wild-jump | div\n"
          "\n"
          "  ud2        executes an undefined instruction without an interrupt table\n"
          "  null       reads through a null pointer, with the first page unmapped\n"
          "  stack      recurses until the stack runs into an unmapped page\n"
          "  wild-jump  calls a function where there is no memory\n"
          "  div        divides by zero with a handler that faults itself\n");
    exit_with_value(1);
}
