/* An enclave's /init: what AWS's does, in its order, for a kernel of a distribution.

   Mounts /dev, takes the console, loads the modules that this kernel does not have built in (they
   are part of this file: `embedded_modules`, see boot_blobs.py) and /nsm.ko, says the heartbeat to
   CID 3 port 9000, reads /cmd and /env, enters /rootfs, mounts what a container expects, runs the
   command, reaps, and resets the machine when the command has ended.
   [src: aws-nitro-enclaves-sdk-bootstrap init/init.c: the behaviour, not the text] */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PARENT = 3, HEARTBEAT_PORT = 9000, HEARTBEAT = 0xb7 };

#define FLAGS (MS_NODEV | MS_NOSUID | MS_NOEXEC)

struct module {
    const char *name;
    const void *data;
    size_t size;
};
extern const struct module embedded_modules[]; /* the last one has no name */

/* The end of process 1 is the end of the machine: the kernel panics, and resets. */
static _Noreturn void die(const char *what) {
    perror(what);
    exit(errno ? errno : 1);
}

static void mount_at(const char *kind, const char *place, unsigned long flags, const char *data) {
    if (mount(kind, place, kind, flags, data) < 0 && errno != EBUSY) die(place);
}

static void make_folder(const char *path) {
    if (mkdir(path, 0755) < 0 && errno != EEXIST) die(path);
}

static void open_console(void) {
    int console = open("/dev/console", O_RDWR);
    if (console < 0) die("/dev/console");
    for (int i = 0; i < 3; i++) dup2(console, i);
    if (console > 2) close(console);
}

static void load_modules(void) {
    for (const struct module *it = embedded_modules; it->name; it++)
        if (syscall(SYS_init_module, it->data, it->size, "") < 0 && errno != EEXIST) die(it->name);
    int file = open("/nsm.ko", O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT) return;
    if (file < 0 || syscall(SYS_finit_module, file, "", 0) < 0) die("/nsm.ko");
    close(file);
    unlink("/nsm.ko");
}

static void say_heartbeat(void) {
    struct sockaddr_vm parent = {
        .svm_family = AF_VSOCK, .svm_cid = PARENT, .svm_port = HEARTBEAT_PORT};
    int line = socket(AF_VSOCK, SOCK_STREAM, 0);
    uint8_t beat = HEARTBEAT;
    if (line < 0) die("socket");
    if (connect(line, (struct sockaddr *)&parent, sizeof parent) < 0) die("connect");
    if (write(line, &beat, 1) != 1) die("write heartbeat");
    if (read(line, &beat, 1) != 1) die("read heartbeat");
    if (beat != HEARTBEAT) die("received wrong heartbeat");
    close(line);
}

/* Return the lines of a file, the last one NULL; NULL where there is no such file. */
static char **read_lines(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        return NULL;
    }
    char **lines = calloc(1, sizeof *lines);
    for (size_t count = 0;; count++) {
        char *line = NULL;
        size_t room = 0;
        ssize_t size = getline(&line, &room, file);
        if (size < 0) break;
        if (line[size - 1] == '\n') line[size - 1] = 0;
        lines = realloc(lines, (count + 2) * sizeof *lines);
        if (!lines) die(path);
        lines[count] = line;
        lines[count + 1] = NULL;
    }
    fclose(file);
    unlink(path);
    return lines;
}

/* One folder a controller of the first version, where the kernel still has it. */
static void mount_control_groups(void) {
    FILE *table = fopen("/proc/cgroups", "r");
    char name[64], path[96];
    int hierarchy, groups, enabled;
    if (!table) return;
    fscanf(table, "%*[^\n]");
    while (fscanf(table, "%63s %d %d %d", name, &hierarchy, &groups, &enabled) == 4) {
        if (!enabled) continue;
        snprintf(path, sizeof path, "/sys/fs/cgroup/%s", name);
        make_folder(path);
        if (mount(name, path, "cgroup", FLAGS, name) < 0) rmdir(path);
    }
    fclose(table);
}

static void enter_root(void) {
    static const char *const links[][2] = {
        {"/proc/self/fd", "/dev/fd"}, {"/proc/self/fd/0", "/dev/stdin"},
        {"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"}};
    if (chdir("/rootfs") < 0 || chroot("/rootfs") < 0) die("/rootfs");
    mount_at("devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, NULL);
    mount_at("proc", "/proc", FLAGS, NULL);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST) die(links[i][1]);
    mount_at("tmpfs", "/run", FLAGS, "mode=0755");
    mount_at("tmpfs", "/tmp", FLAGS, NULL);
    make_folder("/dev/shm");
    mount_at("tmpfs", "/dev/shm", FLAGS, NULL);
    make_folder("/dev/pts");
    mount_at("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, NULL);
    mount_at("sysfs", "/sys", FLAGS, NULL);
    mount_at("tmpfs", "/sys/fs/cgroup", FLAGS, "mode=0755");
    mount_control_groups();
}

/* execvpe searches this process's PATH, and gives a file without #! to the shell. */
static pid_t start(char **command, char **environment) {
    static char *const shell[] = {"sh", NULL};
    static char path[] = "PATH=/sbin:/usr/sbin:/bin:/usr/bin";
    static char *const bare[] = {path, NULL};
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child) return child;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    setsid();
    putenv(path);
    char *const *words = command && *command ? command : shell;
    execvpe(words[0], words, environment ? environment : bare);
    die(words[0]);
}

static void reap(pid_t child) {
    int status;
    pid_t ended;
    while ((ended = wait(&status)) != child)
        if (ended < 0) die("wait");
    if (WIFSIGNALED(status)) fputs("child exited by signal\n", stderr);
    else if (WEXITSTATUS(status)) fputs("child exited with error\n", stderr);
}

int main(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    mount_at("devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, NULL);
    open_console();
    load_modules();
    say_heartbeat();
    char **environment = read_lines("/env");
    char **command = read_lines("/cmd");
    enter_root();
    reap(start(command, environment));
    reboot(RB_AUTOBOOT);
}
