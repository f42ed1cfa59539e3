/*
 * Owns a wall clock that is wrong for one process and its children: preloaded, it adds to the time of day what a file
 * says, in whole seconds, as a signed number of 64 bits. Whoever writes the file makes the clock jump. Clocks that nobody
 * sets (monotonic, since boot, of the CPU) stay as they are, and so do the kernel's own uses, such as times of files.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead;
static int (*kernel_clock)(clockid_t, struct timespec *);

/* A test whose clock cannot be wrong would prove nothing. */
static void need(int ok, const char *what) {
  if (ok) return;
  perror(what);
  _exit(70);
}

__attribute__((constructor)) static void begin(void) {
  if (kernel_clock) return;
  *(void **)&kernel_clock = dlsym(RTLD_NEXT, "clock_gettime");
  need(kernel_clock != NULL, "wrong-clock: clock_gettime");
  const char *path = getenv("WRONG_CLOCK");
  need(path != NULL, "wrong-clock: WRONG_CLOCK");
  int file = open(path, O_RDONLY | O_CLOEXEC);
  need(file >= 0, path);
  ahead = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
  need(ahead != MAP_FAILED, path);
  close(file);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  begin();
  int answer = kernel_clock(clock, time);
  if (answer == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += *ahead;
  return answer;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  (void)zone;
  struct timespec now;
  int answer = clock_gettime(CLOCK_REALTIME, &now);
  if (answer == 0) *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
  return answer;
}

time_t time(time_t *to) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (to) *to = now.tv_sec;
  return now.tv_sec;
}
