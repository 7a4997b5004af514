/** Load over HTTP: as much as the server takes, or a little at a steady pace. */
import { Agent, get } from 'node:http'
import autocannon from 'autocannon'

/**
 * As much as the server takes, on kept connections.
 * @param {{ url: string, connections: number, seconds: number, requests: readonly object[] }} plan
 * @returns {Promise<{ rate: number, answered: number }>} `rate` is requests answered per second
 * @throws Error when an answer is not 2xx, or a connection fails: such answers may be cheaper than the right ones
 */
export async function saturate({ url, connections, seconds, requests }) {
  const result = await autocannon({ url, connections, duration: seconds, requests: [...requests] })
  const { errors, timeouts, non2xx } = result
  if (errors + timeouts + non2xx > 0 || result['2xx'] === 0) {
    throw new Error(`${url}: ${errors} errors, ${timeouts} timeouts, ${non2xx} answers that are not 2xx`)
  }
  return { rate: result['2xx'] / result.duration, answered: result['2xx'] }
}

/**
 * Requests at fixed times, whether or not earlier ones are answered: a slow server is not asked less often.
 * @param {{ url: string, headers: readonly object[], perSecond: number, seconds: number }} plan
 * @returns {Promise<number[]>} milliseconds from the sending of each request to the end of its answer
 */
export async function pace({ url, headers, perSecond, seconds }) {
  const agent = new Agent({ keepAlive: true })
  const startedMs = performance.now()
  const answers = []
  for (let index = 0; index < perSecond * seconds; index += 1) {
    const dueMs = startedMs + (index * 1000) / perSecond
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())))
    answers.push(timedGet(url, headers[index % headers.length], agent))
  }
  const latencies = await Promise.all(answers)
  agent.destroy()
  return latencies
}

function timedGet(url, headers, agent) {
  const startedMs = performance.now()
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url}: ${response.statusCode}`))
      response
        .on('error', reject)
        .resume()
        .on('end', () => resolve(performance.now() - startedMs))
    })
    request.on('error', reject)
  })
}
