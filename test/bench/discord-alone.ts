/** discord.js with nothing behind it: answers each interaction at once. argv: API address, token. */
import { Client, GatewayIntentBits, MessageFlags } from 'discord.js'

const [api = '', token = ''] = process.argv.slice(2)
const client = new Client({ intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages], rest: { api } })
client.on('interactionCreate', async (interaction) => {
  if (interaction.isChatInputCommand()) await interaction.deferReply({ flags: MessageFlags.Ephemeral })
})
await client.login(token)
