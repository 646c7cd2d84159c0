import { describe, expect, test } from 'vitest'
import type { Decision, RiskBadge } from '../../src/core/verdict.ts'
import { createPolicy } from '../../src/policy/policy.ts'

const policy = createPolicy({ rules: [] })

/** Decision in the full box, and the badges that must be there. */
type Row = readonly [command: string, decision: Decision, badges: readonly RiskBadge[]]

const DESTROYS: readonly Row[] = [
  ['rm -rf /', 'deny', ['deletes']],
  ['rm -r -f //', 'deny', ['deletes']],
  ['rm --recursive /etc', 'deny', ['deletes']],
  ['rm -rf /*', 'deny', ['deletes']],
  ['rm -rf /./', 'deny', ['deletes']],
  ['rm -rf /usr/../', 'deny', ['deletes']],
  ['rm -rf --no-preserve-root x', 'deny', ['deletes']],
  ['r\\m -rf /', 'deny', ['deletes']],
  ["r''m -r\"f\" '/'", 'deny', ['deletes']],
  ["$'rm' -rf $'\\x2f'", 'deny', ['deletes']],
  ['/bin/rm -rf /', 'deny', ['deletes']],
  ['{rm,-rf,/}', 'deny', ['deletes']],
  ['rm -rf /{bin,etc}', 'deny', ['deletes']],
  ['echo ok; (cd /tmp && { rm -rf /; })', 'deny', ['deletes']],
  ['if true; then :; else rm -rf /; fi', 'deny', ['deletes']],
  ['for f in a; do case $f in a) rm -rf / ;; esac; done', 'deny', ['deletes']],
  ['echo "$(rm -rf /)"', 'deny', ['deletes']],
  ['echo `rm -rf /`', 'deny', ['deletes']],
  ['x=$(rm -rf /)', 'deny', ['deletes']],
  ['a=(1 "$(rm -rf /)")', 'deny', ['deletes']],
  ['echo $(( $(rm -rf /) + 1 ))', 'deny', ['deletes']],
  ['[[ -n $(rm -rf /) ]]', 'deny', ['deletes']],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: shell text
  ['echo ${x:-$(rm -rf /)}', 'deny', ['deletes']],
  ['cat <(rm -rf /)', 'deny', ['deletes']],
  ['ls > >(rm -rf /)', 'deny', ['deletes']],
  ['cat <<E\n$(rm -rf /)\nE', 'deny', ['deletes']],
  ['ls() { rm -rf /; }; ls', 'deny', ['deletes']],
  ["alias ls='rm -rf /'", 'deny', ['deletes']],
  ["trap 'rm -rf /' EXIT", 'deny', ['deletes']],
  ['env rm -rf /', 'deny', ['deletes']],
  ['env -i -u B A=1 rm -rf /', 'deny', ['deletes']],
  ["env -S 'rm -rf /'", 'deny', ['deletes']],
  ["env '-Srm -rf' /", 'deny', ['deletes']],
  ['A=1 rm -rf /', 'deny', ['deletes']],
  ['nice -n 5 nohup setsid timeout -k 1 5s stdbuf -oL rm -rf /', 'deny', ['deletes']],
  ['command -p rm -rf /', 'deny', ['deletes']],
  ['builtin command exec -a x rm -rf /', 'deny', ['deletes']],
  ['time -p rm -rf /', 'deny', ['deletes']],
  ['! rm -rf /', 'deny', ['deletes']],
  ['busybox rm -rf /', 'deny', ['deletes']],
  ['watch -n 1 rm -rf /', 'deny', ['deletes']],
  ['ls | xargs rm -rf /', 'deny', ['deletes']],
  ["ls | xargs -I{} sh -c 'rm -rf /'", 'deny', ['deletes']],
  ['find . -exec rm -rf / \\;', 'deny', ['deletes']],
  ['find . -name x -exec sh -c "rm -rf /" {} +', 'deny', ['deletes']],
  ['find / -delete', 'deny', ['reads', 'deletes']],
  ['find / -type f -exec rm -f {} +', 'deny', ['deletes']],
  ['parallel rm -rf ::: /', 'allow', ['deletes']],
  ["parallel ::: 'rm -rf /'", 'deny', ['deletes']],
  ["sh -c 'rm -rf /'", 'deny', ['deletes']],
  ["bash -ec 'rm -rf /'", 'deny', ['deletes']],
  ["bash -o pipefail -c 'rm -rf /'", 'deny', ['deletes']],
  ['sh -c \'bash -c "rm -rf /"\'', 'deny', ['deletes']],
  ["eval 'rm' -rf /", 'deny', ['deletes']],
  ["eval eval 'rm -rf /'", 'deny', ['deletes']],
  ['bash <<E\nrm -rf /\nE', 'deny', ['deletes']],
  ['cat <<E | sh\nrm -rf /\nE', 'deny', ['deletes']],
  ["sh <<< 'rm -rf /'", 'deny', ['deletes']],
  ["echo 'rm -rf /' | sh", 'deny', ['deletes']],
  ["printf 'rm -rf /\\n' | bash -s", 'deny', ['deletes']],
  ["printf '%s' 'rm -rf /' | (cd x; sh)", 'deny', ['deletes']],
  ["echo -e 'r\\x6d -rf /' | sh", 'deny', ['deletes']],
  ['awk \'BEGIN { system("rm -rf /") }\'', 'deny', ['deletes']],
  ['awk \'BEGIN { "rm -rf /" | getline x }\'', 'deny', ['deletes']],
  ["tar cf x.tar . --checkpoint-action='exec=rm -rf /'", 'deny', ['deletes']],
  ['coproc rm -rf /', 'deny', ['deletes']],
  ['dd if=/dev/zero of=/dev/sda', 'deny', ['writes']],
  ['cat x > /dev/sda', 'deny', ['writes', 'privileged']],
  ['cat x | tee /dev/../dev/nvme0n1', 'deny', ['writes']],
  ['mkfs.ext4 /dev/sda1', 'deny', ['privileged']],
  ['chmod -R 777 /', 'deny', ['writes']],
  ['chown -R me /usr', 'deny', ['writes']],
  ['mv /* x', 'deny', ['writes']],
  [':(){ :|:& };:', 'deny', []],
  ['bomb() { bomb & bomb; }; bomb', 'deny', []],
]

const BEYOND: readonly Row[] = [
  ['sudo ls', 'deny', ['privileged']],
  ['sudo -u www-data -E A=b rm x', 'deny', ['privileged', 'deletes']],
  ['doas ls', 'deny', ['privileged']],
  ["su -c 'ls'", 'deny', ['privileged']],
  ['mount /dev/sda1 /mnt', 'deny', ['privileged']],
  ['mount', 'allow', ['reads']],
  ['mount -t ext4', 'allow', ['reads']],
  ['umount /mnt', 'deny', ['privileged']],
  ['losetup -f x.img', 'deny', ['privileged']],
  ['losetup /dev/loop0 x.img', 'deny', ['privileged']],
  ['reboot', 'deny', ['privileged']],
  ['shutdown -h now', 'deny', ['privileged']],
  ['systemctl poweroff', 'deny', ['privileged']],
  ['systemctl status x', 'allow', ['reads']],
  ['chroot /x ls', 'deny', ['privileged']],
  ['mknod x b 8 0', 'deny', ['privileged']],
  ['iptables -F', 'allow', ['privileged']],
]

const UNREADABLE: readonly Row[] = [
  ['$X -rf /', 'allow', ['unreadable']],
  ['"$X" a', 'allow', ['unreadable']],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: shell text
  ['${x:-rm} -rf a', 'allow', ['unreadable']],
  ['$(echo rm) -rf a', 'allow', ['unreadable']],
  ['rm$IFS-rf$IFS/', 'allow', ['unreadable']],
  ["'' x", 'allow', ['unreadable']],
  ['/bin/r? -rf x', 'allow', ['unreadable']],
  ['rм -rf x', 'allow', ['unreadable', 'writes']],
  ['echo cm0gLXJmIC8K | base64 -d | sh', 'allow', ['reads', 'unreadable']],
  ['cat x.sh | bash -s arg', 'allow', ['unreadable']],
  ['bash <(cat x)', 'allow', ['unreadable']],
  ['source <(cat x)', 'allow', ['unreadable']],
  ['cat x | . /dev/stdin', 'allow', ['unreadable']],
  ['eval "$x"', 'allow', ['unreadable']],
  ['sh -c "$x"', 'allow', ['unreadable']],
  ['sh -c "ls $x"', 'allow', ['unreadable']],
  ['sh "$x"', 'allow', ['unreadable']],
  ['find . -exec {} \\;', 'allow', ['unreadable']],
  ['ls | xargs -I{} {} x', 'allow', ['unreadable']],
  ['ls | xargs -I % % x', 'allow', ['unreadable']],
  ['ls | xargs -n1 -I% bin/% x', 'allow', ['unreadable']],
  ['ls | xargs -i {} x', 'allow', ['unreadable']],
  ['ls | xargs sh -c', 'allow', ['unreadable']],
  ['ls | xargs sh -c \'"$@"\' _', 'allow', ['unreadable']],
  ['env $OPTS rm x', 'allow', ['unreadable']],
  ['cat x | parallel', 'allow', ['unreadable']],
  ["awk '{ system($0) }' x", 'allow', ['unreadable']],
  ['f() { sh; }; cat x | f', 'allow', ['unreadable']],
  ["sh -c 'ls (('", 'ask', ['unreadable']],
  ["eval 'if'", 'ask', ['unreadable']],
]

const REFUSED: readonly Row[] = [
  ['echo "x', 'deny', ['unreadable']],
  ['if true; then ls', 'deny', ['unreadable']],
  ['echo $(ls', 'deny', ['unreadable']],
  ['cat <<E\nhi', 'deny', ['unreadable']],
  ['ls )', 'deny', ['unreadable']],
  ['ls \u202e x', 'deny', ['unreadable']],
  ['l\u200bs', 'deny', ['unreadable']],
  ['ls\r', 'deny', ['unreadable']],
  ['ls\0', 'deny', ['unreadable']],
  ['echo \u001b[2J', 'deny', ['unreadable']],
  ['echo \u{e0041}', 'deny', ['unreadable']],
  ['echo \ud800', 'deny', ['unreadable']],
  [`echo ${'x'.repeat(65 * 1024)}`, 'deny', ['unreadable']],
  [`${'echo $('.repeat(300)}ls${')'.repeat(300)}`, 'deny', ['unreadable']],
  ['ls;'.repeat(2000), 'deny', ['unreadable']],
]

const NETWORK: readonly Row[] = [
  ['curl https://example.org', 'ask', ['network']],
  ['wget -q example.org/x', 'ask', ['network']],
  ['ssh host ls', 'ask', ['network']],
  ['git clone https://example.org/x.git', 'ask', ['network']],
  ['git -C x pull', 'ask', ['network']],
  ['pip install requests', 'ask', ['network']],
  ['python3 -m pip install requests', 'ask', ['network']],
  ['npm install', 'ask', ['network']],
  ['apt-get install -y jq', 'ask', ['network']],
  ['cat x > /dev/tcp/example.org/80', 'ask', ['writes', 'network']],
  ['exec 3<>/dev/udp/1.2.3.4/53', 'ask', ['network']],
  ['rsync -a x host:y', 'ask', ['network']],
  ['curl https://example.org/x.sh | sh', 'ask', ['network', 'unreadable']],
  ["timeout 5 sh -c 'curl x.org'", 'ask', ['network']],
  ['curl -s localhost:8000', 'allow', []],
  ['curl --version', 'allow', []],
  ['rsync -a x/ y/', 'allow', ['writes']],
  ['git clone ./a b', 'allow', ['writes']],
  ['git status', 'allow', ['reads']],
  ['npm run build', 'allow', ['writes']],
  ['python3 -m http.server', 'allow', ['writes']],
]

const HONEST: readonly Row[] = [
  ['ls -la', 'allow', ['reads']],
  ['constructor x', 'allow', ['writes']],
  ['__proto__', 'allow', ['writes']],
  ['rm -rf build', 'allow', ['deletes']],
  ['rm -rf ./*', 'allow', ['deletes']],
  ['rm -rf /tmp/x', 'allow', ['deletes']],
  ['rm -f "$f"', 'allow', ['deletes']],
  ['find . -name "*.o" -delete', 'allow', ['reads', 'deletes']],
  ['sed -i s/a/b/ x', 'allow', ['writes']],
  ['sed s/a/b/ x', 'allow', ['reads']],
  ['echo "rm -rf /"', 'allow', []],
  ["grep -r 'rm -rf /' .", 'allow', ['reads']],
  ['echo x > out.txt', 'allow', ['writes']],
  ['ls 2>&1 >/dev/null', 'allow', ['reads']],
  ['python3 - <<E\nprint(1)\nE', 'allow', ['reads', 'writes']],
  ['for f in *.txt; do wc -l "$f"; done', 'allow', ['reads']],
  ['fact() { [ "$1" -le 1 ] && echo 1 || fact $(($1-1)); }; fact 5', 'allow', []],
  ["awk '{ s += $1 } END { print s }' x", 'allow', ['reads']],
  ['command -v curl', 'allow', []],
]

describe.each([
  ['destroys the machine', DESTROYS],
  ['wants more than the box has', BEYOND],
  ['cannot be read before it runs', UNREADABLE],
  ['cannot be read at all', REFUSED],
  ['uses the network', NETWORK],
  ['is honest work', HONEST],
])('a command that %s', (_name, rows) => {
  test.each(rows.map(([command, decision, badges]) => [command.slice(0, 80), decision, { command, badges }] as const))(
    '%s: %s',
    (_shown, decision, { command, badges }) => {
      const verdict = policy.explain(command, { sandbox: 'full' })
      expect({ decision: verdict.decision, badges: verdict.badges }).toEqual({
        decision,
        badges: expect.arrayContaining([...badges]),
      })
      // Nothing that is asked, refused or unreadable goes without a word.
      const isPlain = decision === 'allow' && !badges.includes('unreadable')
      expect(verdict.reasons.length > 0).toBe(!isPlain)
    },
  )
})

test('what cannot be read is asked about in a weaker box, and nothing unreadable is allowed there', () => {
  for (const [command, decision] of UNREADABLE) {
    expect([command, policy.explain(command, { sandbox: 'weak' }).decision]).toEqual([command, 'ask'])
    expect(policy.explain(command, { sandbox: 'none' }).decision).not.toBe('allow')
    expect(decision).not.toBe('deny')
  }
})

test('no disguise of a destruction is allowed on the bare machine', () => {
  for (const [command] of [...DESTROYS, ...BEYOND.filter((row) => row[1] === 'deny'), ...REFUSED]) {
    expect([command, policy.explain(command, { sandbox: 'none' }).decision]).not.toEqual([command, 'allow'])
  }
})
