/*
 * How fast plain C reads memory: the yardstick for the read probe of `calm bench`.
 *
 *   cc -O3 -march=native -pthread read-bandwidth.c -o read-bandwidth && ./read-bandwidth 2
 *
 * Prints one line for 1 and for the given number of threads: "threads 2 read 41.3 GB/s", the fastest of PASSES.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PASSES = 6, MAX_THREADS = 256 };
/* Far above any last-level cache. */
static const size_t BUFFER_BYTES = (size_t)1 << 30;

typedef uint64_t vector __attribute__((vector_size(64)));

typedef struct {
  const vector *begin;
  const vector *end;
  vector sum;
} share;

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Four sums, so that no addition waits for the one before. */
static void *read_share(void *argument) {
  share *part = argument;
  vector a = {0}, b = {0}, c = {0}, d = {0};
  for (const vector *at = part->begin; at < part->end; at += 4) {
    a += at[0];
    b += at[1];
    c += at[2];
    d += at[3];
  }
  part->sum = a + b + c + d;
  return NULL;
}

static double fastest_pass(const vector *buffer, int threads) {
  size_t length = BUFFER_BYTES / sizeof(vector) / (size_t)threads / 4 * 4;
  double fastest = 1e9;
  volatile uint64_t kept = 0;
  for (int pass = 0; pass < PASSES; pass += 1) {
    share parts[MAX_THREADS];
    pthread_t ids[MAX_THREADS];
    double start = seconds();
    for (int i = 0; i < threads; i += 1) {
      parts[i].begin = buffer + length * (size_t)i;
      parts[i].end = parts[i].begin + length;
      if (pthread_create(&ids[i], NULL, read_share, &parts[i]) != 0) exit(1);
    }
    for (int i = 0; i < threads; i += 1) {
      pthread_join(ids[i], NULL);
      kept += parts[i].sum[0];
    }
    double taken = seconds() - start;
    if (taken < fastest) fastest = taken;
  }
  return (double)(length * (size_t)threads * sizeof(vector)) / fastest;
}

int main(int count, char **arguments) {
  int threads = count > 1 ? atoi(arguments[1]) : 2;
  if (threads < 1 || threads > MAX_THREADS) {
    fprintf(stderr, "threads must be a number from 1 to %d\n", MAX_THREADS);
    return 2;
  }
  vector *buffer = aligned_alloc(64, BUFFER_BYTES);
  if (buffer == NULL) {
    fprintf(stderr, "no memory for %zu bytes\n", BUFFER_BYTES);
    return 1;
  }
  /* Written once, or every page would be the same page of zeros. */
  memset(buffer, 1, BUFFER_BYTES);
  printf("threads 1 read %.1f GB/s\n", fastest_pass(buffer, 1) / 1e9);
  if (threads > 1) printf("threads %d read %.1f GB/s\n", threads, fastest_pass(buffer, threads) / 1e9);
  free(buffer);
  return 0;
}
