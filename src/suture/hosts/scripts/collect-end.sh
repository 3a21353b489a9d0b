section clock-end
date +%s.%N
