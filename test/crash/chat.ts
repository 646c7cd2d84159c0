/** What a chat shows at the end, whichever it is: the messages of the assistant with what they are for, and the reactions. */
export interface Told {
  taskId: number
  /** As the reporter calls it; a role that was posted anew has a number after it. */
  role: string
  /** The thread that it is in, or that begins with it. */
  thread: string
  /** Of its buttons. */
  verbs: readonly string[]
}

export interface Chat {
  platform: string
  /** In the order in which they came. */
  told: readonly Told[]
  /** The assistant's reactions on the message that a thread begins with; undefined where none is to be expected. */
  reactionsOn(thread: string): readonly string[] | undefined
  /** What no chat may ever show. */
  faults: readonly string[]
}
