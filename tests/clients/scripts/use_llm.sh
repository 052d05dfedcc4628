# The command-line tool `llm`, with a model of extra-openai-models.yaml.
set -eu
llm keys set mine --value "$OPENAI_API_KEY"
cat > "$(dirname "$(llm logs path)")/extra-openai-models.yaml" <<YAML
- model_id: mine
  model_name: $1
  api_base: $OPENAI_BASE_URL
  api_key_name: mine
  supports_schema: true
  supports_tools: true
YAML
llm models list | grep mine
printf 'chat '; llm -m mine --no-stream -s '短く答えてください。' '返品はできますか？'
printf 'stream '; llm -m mine '返品はできますか？'
printf 'again '; llm -c '本当に？'
printf 'schema '; llm -m mine --schema 'category, urgent bool' '返品はできますか？'
