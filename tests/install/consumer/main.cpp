// The smallest program that uses the installed library: prints [2,3].
#include <iostream>

#include "lookback/tensor/tensor.h"

int main() { std::cout << lookback::Tensor::zeros({2, 3}).shape() << "\n"; }
