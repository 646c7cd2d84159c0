/** Bolt with nothing behind it: acknowledges the command /task. argv: API address, bot token, app token. */
import bolt from '@slack/bolt'

const [slackApiUrl = '', token = '', appToken = ''] = process.argv.slice(2)
const app = new bolt.App({
  token,
  appToken,
  socketMode: true,
  clientOptions: { slackApiUrl },
  logLevel: bolt.LogLevel.ERROR,
})
app.command('/task', async ({ ack }) => {
  await ack()
})
await app.start()
