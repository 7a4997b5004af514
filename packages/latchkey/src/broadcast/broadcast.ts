/**
 * How nodes tell each other that something changed: one word without content, "look". What changed is read from the
 * store, so a message that is lost, doubled or made up costs time and never lets anybody in.
 */
export interface Broadcast {
  /**
   * Called after a change is durable, and not waited for. Trouble is the broadcast's own: it may reject, and nodes then
   * look at their interval.
   */
  publish(): void | Promise<void>
  /**
   * `wake` is called for the messages of other nodes (own ones may be among them), and after a reconnect, since messages
   * may have been missed. Never throws; returns the way to stop.
   */
  subscribe(wake: () => void): () => void
}
