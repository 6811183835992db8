"""Answers one question with the variant that cfslurm put onto this node."""

import json
import os
import sys
from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer


def main(question: str) -> None:
    """Load the model from the shared cache, offline, and answer."""
    path = os.environ["CFSLURM_MODEL_PATH"]
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, device_map="auto", torch_dtype="auto")
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    ).to(model.device)
    output = model.generate(**prompt, max_new_tokens=200)
    answer = tokenizer.decode(output[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    # What stands in this file comes back in `cfslurm status --items --json`.
    result = {"answer": answer, "variant": os.environ["CFSLURM_VARIANT"]}
    Path(os.environ["CFSLURM_RESULT"]).write_text(json.dumps(result))
    print(answer)


if __name__ == "__main__":
    main(sys.argv[1])
