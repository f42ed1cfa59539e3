// Owns one measured run: starts a program, in another network namespace where one is named, waits for it, and says on
// descriptor 3 what it took: "exit wall_us user_us sys_us peak_kib". Node cannot ask for the resource usage of one
// child, and the shell's `time` tells no memory. What the program starts and waits for is counted in.
// Usage: bench-run [-n /run/netns/NAME] PROGRAM [ARGUMENT…]
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long microseconds(struct timeval time) { return time.tv_sec * 1000000LL + time.tv_usec; }

int main(int count, char **words) {
  words++;
  if (count > 3 && strcmp(words[0], "-n") == 0) {
    int namespace = open(words[1], O_RDONLY | O_CLOEXEC);
    if (namespace < 0 || setns(namespace, CLONE_NEWNET) != 0) return 71;
    words += 2;
  }
  if (words[0] == NULL) return 64;
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  pid_t child = fork();
  if (child < 0) return 71;
  if (child == 0) {
    close(3);
    execvp(words[0], words);
    _exit(127);
  }
  int status;
  struct rusage usage;
  if (wait4(child, &status, 0, &usage) != child) return 71;
  clock_gettime(CLOCK_MONOTONIC, &end);
  long long wall = (end.tv_sec - start.tv_sec) * 1000000LL + (end.tv_nsec - start.tv_nsec) / 1000;
  dprintf(3, "%d %lld %lld %lld %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), wall,
          microseconds(usage.ru_utime), microseconds(usage.ru_stime), usage.ru_maxrss);
  return 0;
}
