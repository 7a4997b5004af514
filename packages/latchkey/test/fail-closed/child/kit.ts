/** What the child process imports, after the host program has changed it: the built packages, once or twice. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Copies } from '../hostile-hosts.js'

/** Every part of Latchkey that an app of this suite uses. */
export type Kit = Awaited<ReturnType<typeof loadKit>>

type Latchkey = typeof import('latchkey')

/** @param copyFolder where a second copy of the built package lies */
export async function loadKit(copies: Copies | undefined, copyFolder: string) {
  const copied = (path: string) => import(pathToFileURL(join(copyFolder, 'dist', path)).href)
  const own = await import('latchkey')
  const parts: Latchkey = copies === 'parts' ? await copied('index.js') : own
  const adapters: {
    node: typeof import('latchkey/node')
    fetch: typeof import('latchkey/fetch')
  } = copies
    ? { node: await copied('adapters/node-http.js'), fetch: await copied('adapters/fetch.js') }
    : { node: await import('latchkey/node'), fetch: await import('latchkey/fetch') }
  const testing = await import('latchkey/testing')
  const { sqlite } = await import('@latchkey/sql')
  return { ...parts, createLatchkey: own.createLatchkey, ...testing, ...adapters, sqlite }
}

export type Frameworks = Awaited<ReturnType<typeof loadFrameworks>>

/** The frameworks and their adapters. */
export async function loadFrameworks(copies: Copies | undefined, copyFolder: string) {
  const copied = (path: string) => import(pathToFileURL(join(copyFolder, 'dist', path)).href)
  const [{ default: expressFramework }, { default: fastifyFramework }, { Hono }, { getRequestListener }] =
    await Promise.all([
      import('express'),
      import('fastify'),
      import('hono'),
      import('@hono/node-server'),
    ] as const)
  const adapters: {
    express: typeof import('latchkey/express').express
    fastify: typeof import('latchkey/fastify').fastify
    hono: typeof import('latchkey/hono').hono
  } = copies
    ? {
        ...(await copied('adapters/express.js')),
        ...(await copied('adapters/fastify.js')),
        ...(await copied('adapters/hono.js')),
      }
    : {
        ...(await import('latchkey/express')),
        ...(await import('latchkey/fastify')),
        ...(await import('latchkey/hono')),
      }
  return { ...adapters, expressFramework, fastifyFramework, Hono, getRequestListener }
}
