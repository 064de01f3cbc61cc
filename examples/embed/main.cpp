// Loads a model, translates a sentence, and draws what the model looked at.
//   embed MODEL "ein Hund läuft durch den Schnee"
#include <iostream>

#include "lookback/base/error.h"
#include "lookback/tasks/task.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: embed MODEL TEXT\n";
    return 2;
  }
  try {
    const std::string folder = argv[1];
    const auto model = lookback::tasks::task_of_model(folder).load({folder});
    const lookback::tasks::Input input{.line = 1, .fields = {{"source", argv[2]}}};
    const auto prediction = model->predict({&input, 1})[0];
    std::cout << prediction.outputs[0].text << "\n\n"
              << lookback::viz::to_terminal(model->explain(input, *model->options()), {.color = false});
  } catch (const lookback::Error& e) {
    std::cerr << "embed: " << e.what() << '\n';
    return 1;
  }
}
