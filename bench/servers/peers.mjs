/** `GET /hello/` behind what people use instead: the same greeting on the same frameworks, one peer per process. */
import { createServer } from 'node:http'
import expressFramework from 'express'
import Fastify from 'fastify'
import { newJwtKey } from '../lib/jwt-tokens.mjs'
import { importPeer } from '../lib/peers.mjs'
import { answerParent, listen } from '../lib/server-child.mjs'

const { peer, database, tokens } = JSON.parse(process.argv[2] ?? '{}')

const greet = (username) => ({ message: `Hello, ${username}!` })

/** @type {Record<string, () => Promise<string>>} */
const PEERS = {
  'fastify-jwt': () => serveFastifyJwt(),
  'fastify-jwt-cached': () => serveFastifyJwt({ cache: tokens }),
  'better-auth': async () => {
    const { openBetterAuth } = await importPeer('better-auth')
    const { verify } = openBetterAuth(database)
    const app = Fastify()
    app.decorateRequest('apiKey', null)
    const onRequest = async (request, reply) => {
      try {
        request.apiKey = await verify(request.headers['x-api-key'])
      } catch {
        return reply.code(401).send({ message: 'Unauthorized' })
      }
    }
    app.get('/hello/', { onRequest }, ({ apiKey }, reply) => reply.send(greet(apiKey.name)))
    return app.listen({ host: '127.0.0.1', port: 0 })
  },
  'passport-bearer': async () => {
    const { passportBearer } = await importPeer('passport-bearer')
    const { middleware } = passportBearer(database)
    const app = expressFramework()
    app.get('/hello/', middleware, ({ user }, response) => void response.json(greet(user.username)))
    return listen(createServer(app))
  },
}

/** As its documentation has it: a hook that answers with what `jwtVerify` throws. */
async function serveFastifyJwt(verify) {
  const { withFastifyJwt } = await importPeer('fastify-jwt')
  const app = await withFastifyJwt(Fastify(), newJwtKey('HS256'), verify)
  const onRequest = async (request, reply) => {
    try {
      await request.jwtVerify()
    } catch (error) {
      reply.send(error)
    }
  }
  app.get('/hello/', { onRequest }, ({ user }, reply) => reply.send(greet(user.username)))
  return app.listen({ host: '127.0.0.1', port: 0 })
}

answerParent(await PEERS[peer]())
