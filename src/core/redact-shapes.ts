/**
 * Well-known tokens, as shapes that a linear matcher can follow byte by byte without going back. Written in a small part of the regular
 * expression language (literals, classes, {n}, {n,m}, a last {n,} and ?), so that a test can hold each against RegExp.
 */
export interface TokenShape {
  /** Stays readable: what leads up to the token. */
  keep?: string
  hide: string
  /** Must follow, stays readable. */
  follows?: string
  anyCase?: true
  /** Not within a longer word, as in "task-…". */
  wordStart?: true
}

const DISCORD_GROUP = '[MNO][DTjz][AEIMQUYcgk][wxyz0-5]'
const GITLAB_KINDS = ['pat', 'dt', 'rt', 'cbt', 'ptt', 'ft', 'imt', 'oas', 'soat', 'agent']
const KEY_KINDS = ['', 'RSA ', 'EC ', 'DSA ', 'OPENSSH ', 'ENCRYPTED ', 'PGP ']

/** The block after one of these is hidden until its end line; see redact-key-block.ts. */
export const KEY_BLOCK_STARTS: readonly string[] = KEY_KINDS.map((kind) => `-----BEGIN ${kind}PRIVATE KEY`)

export const TOKEN_SHAPES: readonly TokenShape[] = [
  // Slack: tokens of bots, users, apps, their rotating forms, and webhook addresses
  { hide: 'xox[abceoprsd]-[\\w.%-]{10,}' },
  { hide: 'xoxe\\.xox[bp]-[\\w-]{10,}' },
  { hide: 'xapp-[0-9]-[\\w-]{10,}' },
  { keep: 'hooks\\.slack\\.com/[a-z]{5,12}/', hide: '[\\w/]{20,}' },
  // Discord: a bot token begins with its numeric user id in base64, which only has these letters
  { hide: `${DISCORD_GROUP.repeat(5)}[\\w-]{3,8}\\.[\\w-]{6}\\.[\\w-]{25,}` },
  { keep: '/api/webhooks/[0-9]{15,22}/', hide: '[\\w-]{40,}' },
  // GitHub, GitLab
  { hide: 'gh[pousr]_[A-Za-z0-9]{30,}' },
  { hide: 'github_pat_[A-Za-z0-9_]{22,}' },
  ...GITLAB_KINDS.map((kind) => ({ hide: `gl${kind}-[\\w.-]{20,}` })),
  // AWS
  { hide: 'A[KSBC][ICA]A[A-Z0-9]{16,}', wordStart: true },
  {
    keep: 'aws_secret_access_key["\']?\\s{0,4}[=:]\\s{0,4}["\']?',
    hide: '[A-Za-z0-9/+]{40,}',
    anyCase: true,
  },
  { keep: 'aws_session_token["\']?\\s{0,4}[=:]\\s{0,4}["\']?', hide: '[A-Za-z0-9/+=]{40,}', anyCase: true },
  // Google
  { hide: 'AIza[\\w-]{35,}' },
  { hide: 'ya29\\.[\\w-]{20,}' },
  { hide: 'GOCSPX-[\\w-]{20,}' },
  // Model services
  { hide: 'sk-ant-[\\w-]{20,}' },
  { hide: 'sk-proj-[\\w-]{20,}' },
  { hide: 'sk-svcacct-[\\w-]{20,}' },
  { hide: 'sk-admin-[\\w-]{20,}' },
  { hide: 'sk-or-v1-[\\w-]{20,}' },
  { hide: 'sk-[A-Za-z0-9]{32,}', wordStart: true },
  { hide: 'hf_[A-Za-z0-9]{30,}', wordStart: true },
  { hide: 'gsk_[A-Za-z0-9]{40,}', wordStart: true },
  { hide: 'xai-[A-Za-z0-9]{60,}', wordStart: true },
  // Payments, mail, messages
  { hide: '[rs]k_live_[A-Za-z0-9]{16,}' },
  { hide: '[rs]k_test_[A-Za-z0-9]{16,}' },
  { hide: 'whsec_[A-Za-z0-9+/=]{24,}' },
  { hide: 'SG\\.[\\w-]{20,24}\\.[\\w-]{39,}' },
  { keep: 'bot[0-9]{8,10}:', hide: 'AA[\\w-]{33,}' },
  // Packages and platforms
  { hide: 'npm_[A-Za-z0-9]{36,}' },
  { hide: 'pypi-AgE[\\w-]{40,}' },
  { hide: 'dckr_pat_[\\w-]{20,}' },
  { hide: 'do[opr]_v1_[a-f0-9]{60,}' },
  { hide: 'shp[a-z]{2}_[a-fA-F0-9]{32,}' },
  { hide: 'hv[sbr]\\.[\\w-]{24,}' },
  { hide: 'glsa_[A-Za-z0-9]{32}_[a-fA-F0-9]{8,}' },
  { hide: 'lin_api_[A-Za-z0-9]{32,}' },
  { hide: 'ntn_[A-Za-z0-9]{40,}' },
  { hide: 'tskey-[a-z]{3,8}-[\\w-]{20,}' },
  { hide: 'figd_[\\w-]{30,}' },
  { hide: 'ATATT3[\\w=-]{60,}' },
  { hide: 'AGE-SECRET-KEY-1[A-Z0-9]{50,}' },
  { keep: 'AccountKey=', hide: '[A-Za-z0-9+/=]{60,}' },
  // Kinds rather than makers: signed web tokens, credentials in headers and addresses
  { hide: 'eyJ[\\w-]{8,256}\\.eyJ[\\w.-]{16,}' },
  { keep: 'bearer\\s{1,4}', hide: '[\\w.~+/=-]{16,}', anyCase: true },
  { keep: 'authorization["\']?\\s{0,4}[:=]\\s{0,4}["\']?basic\\s{1,4}', hide: '[A-Za-z0-9+/=]{8,}', anyCase: true },
  { keep: '://[^\\s:@/?#"\'<>]{0,128}:', hide: '[^\\s@/"\'<>]{3,256}', follows: '@' },
]
