/**
 * The starter: a small process that starts launchers for this one. To start a process is to copy the one that starts it, which stands
 * still meanwhile: some ten milliseconds for this program, half of one for the starter. It makes launchers ready before there are
 * tasks for them, and each becomes the bwrap of one task: no other program runs on the way in. In perl, which has the system
 * calls for it, and which every Debian has.
 *
 *   starter    reads what it is to do from its standard input: how many cgroups, and the file to enter each by, for one launcher more;
 *              "reap" and a process id, for one that is known to be dead. Until then its number is nobody else's. Answers with the new
 *              process id, 0 when there is none. It ends with the program, and every bwrap with it (--die-with-parent)
 *   launcher   enters the cgroups, which can take the kernel 30 ms, and waits for its task (HANDOVER). Its end of the wait is the end
 *              of the program. Drops to the task's uid, and becomes bwrap
 *
 * Every word is followed by NUL. A launcher's channels are sockets that the starter connects to the program, one after the other.
 */

/**
 * What a launcher is told of its task, through the first of its channels; '' for what it has not. Behind it comes what bwrap is to be told, as
 * many bytes as said.
 */
export const HANDOVER = ['pipe', 'folder', 'uid', 'point', 'network', 'networkPoint', 'argumentBytes'] as const

/** The reports and the terminator's words; the lanes'. Descriptors 3, 4 and 5 of the launcher, and of who is inside. */
export const CHANNELS = 3

/** Where the program listens, from the folder that the starter is started in: a longer path may be too long for a socket. */
export const MEETING_POINT = 'starter'

/** perl knows them by number only. */
export const SYSTEM_CALLS: Partial<Record<NodeJS.Architecture, { unshare: number; mount: number }>> = {
  arm: { unshare: 337, mount: 21 },
  arm64: { unshare: 97, mount: 40 },
  ia32: { unshare: 310, mount: 21 },
  loong64: { unshare: 97, mount: 40 },
  ppc64: { unshare: 282, mount: 21 },
  riscv64: { unshare: 97, mount: 40 },
  s390x: { unshare: 303, mount: 21 },
  x64: { unshare: 272, mount: 165 },
}

/** All that a starter that root has started keeps of its powers: for the cgroups and files of others, the mounts, the task's uid. */
export const STARTER_POWERS = ['dac_override', 'sys_admin', 'setgid', 'setuid'] as const

/** Arguments: bwrap, shell inside, command of that; and where tasks have a uid of their own the numbers of unshare and mount. */
export const STARTER = `
use strict;
use POSIX ();
use Socket;

my ($bwrap, $inner, $command, $unshare, $mount) = @ARGV;
my ($NEW_MOUNTS, $BIND, $SLAVE_BELOW) = (0x20000, 0x1000, 0x4000 | 0x80000);
# What a pipe holds by itself, and the call for more.
my ($ROOM, $SET_PIPE_SIZE) = (65536, 1031);
my $trouble = '';
$/ = "\\0";

# Descriptors that the program inherited are not the task's. Those below 12 are kept for what a launcher hands on.
opendir my $listing, '/proc/self/fd' or die "/proc/self/fd: $!\\n";
POSIX::close($_) for grep { $_ > 2 && $_ != fileno $listing } grep { /\\d/ } readdir $listing;
closedir $listing;
1 while POSIX::open('/dev/null') < 11;

while (defined(my $word = readline STDIN)) {
  chomp $word;
  if ($word eq 'reap') { waitpid word_of(*STDIN), 0; next }
  my @entrances = map { word_of(*STDIN) } 1 .. $word;
  my @channels = map { reach() } 1 .. ${CHANNELS};
  my $pid = fork;
  launch(\\@channels, @entrances) if defined $pid && $pid == 0;
  syswrite STDOUT, ($pid // 0) . "\\0";
}

sub word_of {
  my $word = readline $_[0];
  POSIX::_exit(0) unless defined $word && chomp $word;
  return $word;
}

sub reach {
  my $channel;
  socket($channel, PF_UNIX, SOCK_STREAM, 0) && connect($channel, pack_sockaddr_un('${MEETING_POINT}'))
    or die "the program is out of reach: $!\\n";
  return $channel;
}

sub launch {
  my ($channels, @entrances) = @_;
  hand_on_file($_, '/dev/null', POSIX::O_RDWR()) for 0 .. 2;
  enter($_) for @entrances;
  own_mounts() if $unshare;
  hand_on(3 + $_, fileno $channels->[$_]) for 0 .. $#$channels;
  my @kit = ('kit/seccomp', '/bin/sh', 'kit/passwd', 'kit/group', 'kit/hosts');
  hand_on_file(7 + $_, $kit[$_]) for 0 .. $#kit;

  my ($pipe, $folder, $uid, $point, $network, $network_point, $bytes) = map { word_of($channels->[0]) } 1 .. ${HANDOVER.length};
  hand_on_file(1, $pipe, POSIX::O_WRONLY());
  hand_on(2, 1);
  hand_on_arguments($channels->[0], $bytes);
  chdir '/';
  complain() if $trouble;
  bind_to($network, $network_point) if $network ne '';
  bind_to($folder, $point) if $point ne '';
  become($uid) if $uid ne '';
  %ENV = ();
  exec { $bwrap } $bwrap, '--args', '6', '--', $inner, '-c', $command;
  note("cannot start $bwrap");
  complain();
}

sub enter {
  my $file;
  open($file, '>', $_[0]) && syswrite($file, $$) or note("cannot enter $_[0]");
}

# What perl has opened, above 11, it closes before it becomes another program; not this.
sub hand_on {
  my ($as, $descriptor) = @_;
  POSIX::dup2($descriptor, $as) // note("cannot hand on descriptor $as");
}

# What POSIX has opened perl would leave open.
sub hand_on_file {
  my ($as, $path, $mode) = @_;
  my $descriptor = POSIX::open($path, $mode // POSIX::O_RDONLY()) // return note("cannot open $path");
  hand_on($as, $descriptor);
  POSIX::close($descriptor);
}

# In a pipe, which has to hold them all: nobody reads before bwrap does. They are on no disk, and on no command line.
sub hand_on_arguments {
  my ($channel, $bytes) = @_;
  my ($arguments, $end, $start);
  read($channel, $arguments, $bytes) == $bytes or POSIX::_exit(0);
  pipe($end, $start) && ($bytes <= $ROOM || fcntl($start, $SET_PIPE_SIZE, 0 + $bytes)) && syswrite($start, $arguments) == $bytes
    or note('cannot tell bwrap what to do');
  hand_on(6, fileno $end);
}

# A copy that follows what is mounted on the host meanwhile, and never the other way round.
sub own_mounts {
  my ($none, $root) = ('none', '/');
  syscall($unshare, $NEW_MOUNTS) == 0 && syscall($mount, $none, $root, 0, $SLAVE_BELOW, 0) == 0 or note('cannot have mounts of its own');
}

sub bind_to {
  my ($folder, $point) = @_;
  syscall($mount, $folder, $point, 0, $BIND, 0) == 0 or note("cannot show $folder"), complain();
}

# Groups first: a user may not leave those that root has.
sub become {
  my ($uid) = @_;
  $) = "$uid $uid";
  POSIX::setgid($uid);
  POSIX::setuid($uid);
  "$< $> $( $)" eq "$uid $uid $uid $uid $uid $uid" or note("cannot become user $uid"), complain();
}

# The first is told, once there is somebody to be told.
sub note {
  $trouble ||= "$_[0]: $!";
  return undef;
}

sub complain {
  syswrite STDERR, "$trouble\\n";
  POSIX::_exit(97);
}
`
