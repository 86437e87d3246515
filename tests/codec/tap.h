/*
 * tap.h - a test harness in a few lines: TAP on stdout.
 */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_count;
static int tap_failed;

/* One test: "ok n - name" or "not ok n - name". Returns condition. */
static inline bool tap_ok(bool condition, const char *format, ...)
{
    va_list arguments;

    tap_count++;
    if (!condition)
        tap_failed++;
    printf("%sok %d - ", condition ? "" : "not ", tap_count);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    return condition;
}

/* A line of diagnostics. */
static inline void tap_note(const char *format, ...)
{
    va_list arguments;

    printf("# ");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

/* The plan; returns the exit status. */
static inline int tap_done(void)
{
    printf("1..%d\n", tap_count);
    fflush(stdout);
    return tap_failed == 0 ? 0 : 1;
}

#endif
