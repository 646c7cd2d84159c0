// Low, as for text with many short words and signs.
const CHARACTERS_PER_TOKEN = 3
const STEP_TOKENS = 8192
const MAX_TOKENS = 65_536

/** What of the window the request may fill: the rest is for the reply. */
export function promptCharacters(windowTokens: number): number {
  return Math.floor((windowTokens * CHARACTERS_PER_TOKEN) / 2)
}

/**
 * The window to ask of the server. A prompt that does not fit loses its beginning there, silently: the rules first. Another
 * size than before makes the server load the model again, so it is `usual` unless prompt and reply need more, and then grows in steps.
 */
export function windowFor(usual: number, characters: number, replyTokens: number): number {
  const needed = Math.ceil(characters / CHARACTERS_PER_TOKEN) + replyTokens
  if (needed <= usual) return usual
  return Math.max(usual, Math.min(MAX_TOKENS, Math.ceil(needed / STEP_TOKENS) * STEP_TOKENS))
}
