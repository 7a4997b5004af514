/** `latchkey token create|list|show|rotate|finish-rotation|revoke`: tokens, shown without their secrets except where one is asked for. */
import { Command } from 'commander'
import type { Io } from '../output.js'
import { createCommand } from './token/create.js'
import { listCommand, showCommand } from './token/list.js'
import { revokeCommand } from './token/revoke.js'
import { finishRotationCommand, rotateCommand } from './token/rotate.js'

export function tokenCommand(io: Io): Command {
  return new Command('token')
    .description('issue, list, show, rotate and revoke tokens')
    .addCommand(createCommand(io))
    .addCommand(listCommand(io))
    .addCommand(showCommand(io))
    .addCommand(rotateCommand(io))
    .addCommand(finishRotationCommand(io))
    .addCommand(revokeCommand(io))
}
