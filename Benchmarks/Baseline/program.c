/*
 * The whole run of a guest as a program:
 *
 *     baseline [--no-irqchip] [-m MEGABYTES] IMAGE
 *
 * The guest's output goes to standard output, byte for byte and at once. The exit status is vmm's.
 */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_byte(void *context, uint8_t byte) {
    (void)context;
    while (write(STDOUT_FILENO, &byte, 1) < 0) {
        if (errno != EINTR) fail("write");
    }
}

static void read_image(const char *path, struct baseline_guest *guest) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) < 0) fail(path);
    uint8_t *image = malloc((size_t)status.st_size);
    if (!image || read(file, image, (size_t)status.st_size) != status.st_size) fail(path);
    close(file);
    guest->image = image;
    guest->image_size = (size_t)status.st_size;
}

int main(int count, char **arguments) {
    struct baseline_guest guest = {.memory_size = 128 << 20, .has_irqchip = true};
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--no-irqchip") == 0) {
            guest.has_irqchip = false;
        } else if (strcmp(arguments[i], "-m") == 0 && i + 1 < count) {
            guest.memory_size = strtoull(arguments[++i], NULL, 10) << 20;
        } else {
            guest.command_line = strrchr(arguments[i], '/') ? strrchr(arguments[i], '/') + 1 : arguments[i];
            read_image(arguments[i], &guest);
        }
    }
    if (!guest.image) {
        fprintf(stderr, "usage: baseline [--no-irqchip] [-m MEGABYTES] IMAGE\n");
        return 64;
    }
    struct baseline_machine *machine = baseline_create(&guest, write_byte, NULL);
    baseline_start(machine);
    /* The end of the process takes the machine down. */
    return baseline_wait(machine);
}
