# The program that is killed: it says when it lives, and sleeps. Perl because it starts in 1 ms.
#   perl victim.pl <stamps file> <name> <number of the system call clock_gettime>
my ($stamps, $name, $clock_gettime) = @ARGV;
my $now = "\0" x 16;
syscall($clock_gettime + 0, 1, $now);
my ($seconds, $nanoseconds) = unpack("qq", $now);
open(my $file, ">>", $stamps) or die "cannot append to $stamps: $!";
syswrite($file, $seconds * 1_000_000_000 + $nanoseconds . " $name $$\n");
close($file);
syswrite(STDOUT, "ready\n");
sleep while 1;
