/** The other end of `server-process.mjs`: says where the server is, answers questions, ends with its parent. */

/**
 * Every server can be asked for `cpu`, its processor time since it started.
 * @param {string} url
 * @param {Readonly<Record<string, (question: any) => object | Promise<object>>>} [answers] by `kind` of question
 */
export function answerParent(url, answers = {}) {
  const all = { cpu: processorTime, ...answers }
  process.once('disconnect', () => process.exit(0))
  process.on('message', async (question) => process.send?.(await all[question.kind](question)))
  process.send?.({ url })
}

/** @param {import('node:http').Server} server @returns {Promise<string>} where it listens */
export function listen(server) {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`))
  })
}

function processorTime() {
  const { user, system } = process.cpuUsage()
  return { cpuUs: user + system }
}
