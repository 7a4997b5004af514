/** The other end of `server-process.mjs`: says where the server is, answers questions, ends with its parent. */

/**
 * @param {string} url
 * @param {Readonly<Record<string, (question: any) => object | Promise<object>>>} answers by `kind` of question
 */
export function answerParent(url, answers) {
  process.once('disconnect', () => process.exit(0))
  process.on('message', async (question) => process.send?.(await answers[question.kind](question)))
  process.send?.({ url })
}
