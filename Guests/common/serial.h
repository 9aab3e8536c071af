// The registers of the first serial port, a 16550.

#pragma once

enum {
    SERIAL_DATA = 0x3f8,
    SERIAL_INTERRUPT_ENABLE = 0x3f9,
    SERIAL_FIFO_CONTROL = 0x3fa,
    SERIAL_MODEM_CONTROL = 0x3fc,
    SERIAL_LINE_STATUS = 0x3fd,
};

enum {
    // Interrupt enable: when received data is available.
    SERIAL_RECEIVE_INTERRUPT = 0x01,

    // FIFO control, and the size of each of the two buffers.
    SERIAL_FIFO_ENABLE = 0x01,
    SERIAL_FIFO_SIZE = 16,

    // Line status.
    SERIAL_DATA_READY = 0x01,
    SERIAL_TRANSMITTER_EMPTY = 0x20,

    // Modem control. On a PC, output 2 connects the port's interrupt line.
    SERIAL_TERMINAL_READY = 0x01,
    SERIAL_REQUEST_TO_SEND = 0x02,
    SERIAL_OUTPUT_2 = 0x08,

    // Also modem control: what is sent is received, and nothing else is.
    SERIAL_LOOPBACK = 0x10,
};
