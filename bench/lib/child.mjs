/** What a process that was forked says next. */

/**
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<any>} rejects when it ends without a word
 */
export function nextMessage(child) {
  return new Promise((resolve, reject) => {
    const ended = (code) => {
      child.off('message', heard)
      reject(new Error(`${child.spawnfile} ${child.spawnargs[1]} ended with ${code}`))
    }
    const heard = (message) => {
      child.off('exit', ended)
      resolve(message)
    }
    child.once('message', heard)
    child.once('exit', ended)
  })
}
