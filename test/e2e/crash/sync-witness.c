/*
 * Preloaded into a process, writes down what the operating system was asked to make durable, when it has done so: a line
 * `<size>\t<inode>\t<path>` for a file, `<path>/<name>` for each name of a folder. SYNC_WITNESS is the file it writes to,
 * SYNC_DELAY_US how long each sync takes at least. See power-loss.test.ts.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void say(const char *line) {
  static int out = -1;
  if (out < 0) out = open(getenv("SYNC_WITNESS"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (write(out, line, strlen(line)) < 0) abort();
}

static void say_folder(const char *path) {
  char line[PATH_MAX * 2];
  DIR *folder = opendir(path);
  if (folder == NULL) return;
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    snprintf(line, sizeof line, "%s/%s\n", path, entry->d_name);
    say(line);
  }
  closedir(folder);
}

static int witnessed(const char *function, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, function);
  const char *delay = getenv("SYNC_DELAY_US");
  char link[64], path[PATH_MAX], line[PATH_MAX + 32];
  struct stat before;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  int known = fstat(fd, &before) == 0 && length > 0;
  /* What is written from here on may or may not be in this sync: it is taken as not. */
  if (delay != NULL) usleep(atoi(delay));
  int answer = real(fd);
  if (answer != 0 || !known) return answer;
  path[length] = 0;
  if (S_ISDIR(before.st_mode)) say_folder(path);
  else {
    snprintf(line, sizeof line, "%lld\t%llu\t%s\n", (long long)before.st_size, (unsigned long long)before.st_ino, path);
    say(line);
  }
  return answer;
}

int fsync(int fd) { return witnessed("fsync", fd); }
int fdatasync(int fd) { return witnessed("fdatasync", fd); }
